import { describe, expect, it } from '@jest/globals';
import type { PlaceText } from './template-rule.ts';
import { buildTemplateTable, resourceKey, rulesFor, type TemplateTableOptions } from './template-table.ts';

const POD_TEMPLATE: PlaceText = {
  annotations: '/spec/template/metadata/annotations',
  content: '/spec/template/spec',
};

function problemsOf(...places: PlaceText[]): string[] {
  const result = buildTemplateTable({ resources: [{ resource: 'rayjobs.ray.io', places }] });
  return result.ok ? [] : result.problems.map(({ path, message }) => `${path.join('.')}: ${message}`);
}

const COMMON = 'must be the same as annotations up to the last *';
const POINTER = 'must be a JSON pointer such as /spec/template/spec, with * for all members of a map or list';

describe('buildTemplateTable', () => {
  it.each<[string, Partial<PlaceText>, string]>([
    ['an empty path', { content: '' }, `0.places.0.content: ${POINTER}`],
    ['a path that is none', { content: 'spec.template.spec' }, `0.places.0.content: ${POINTER}`],
    ['an escape that is none', { annotations: '/spec/~2/annotations' }, `0.places.0.annotations: ${POINTER}`],
    ['a path too long', { content: '/a'.repeat(33) }, `0.places.0.content: ${POINTER}`],
    ['a * in the content alone', { content: '/spec/*/spec' }, `0.places.0.content: ${COMMON}`],
    [
      'a * in the annotations alone',
      { annotations: '/spec/*/metadata/annotations' },
      `0.places.0.content: ${COMMON}`,
    ],
    [
      'two maps that * goes over',
      { annotations: '/spec/a/*/metadata/annotations', content: '/spec/b/*/spec' },
      `0.places.0.content: ${COMMON}`,
    ],
    [
      'annotations that end with *',
      { annotations: '/spec/a/*', content: '/spec/a/*/spec' },
      '0.places.0.annotations: must end with the key of the map of annotations, not with *',
    ],
    [
      'content in metadata',
      { content: '/metadata/labels' },
      '0.places.0.content: must not be in metadata or status: controllers write there',
    ],
    [
      'content in status',
      { content: '/status' },
      '0.places.0.content: must not be in metadata or status: controllers write there',
    ],
    [
      'annotations in status',
      { annotations: '/status/annotations' },
      '0.places.0.annotations: must be a map of annotations that controllers copy to pods',
    ],
    [
      'labels for annotations',
      { annotations: '/metadata/labels' },
      '0.places.0.annotations: must be a map of annotations that controllers copy to pods',
    ],
    [
      'annotations that are the content',
      { annotations: '/spec/template/spec' },
      '0.places.0.annotations: must be a map of annotations that controllers copy to pods',
    ],
    [
      'content within the annotations',
      { annotations: '/spec', content: '/spec/template' },
      '0.places.0.annotations: must be a map of annotations that controllers copy to pods',
    ],
    ['a requirement with a * of its own', { requires: '/spec/*/spec' }, `0.places.0.requires: ${COMMON}`],
    [
      'an exception outside the content',
      { without: ['/spec/suspend'] },
      '0.places.0.without: must be below content, and have no more *',
    ],
    [
      'the content as an exception',
      { without: ['/spec/template/spec'] },
      '0.places.0.without: must be below content, and have no more *',
    ],
    [
      'an exception with a * of its own',
      { without: ['/spec/template/spec/*/image'] },
      '0.places.0.without: must be below content, and have no more *',
    ],
  ])('refuses %s', (_, change, problem) => {
    expect(problemsOf({ ...POD_TEMPLATE, ...change })).toEqual([problem]);
  });

  it('tells all problems together', () => {
    expect(
      problemsOf({ annotations: 'a', content: 'b' }, POD_TEMPLATE, { ...POD_TEMPLATE, content: '' }),
    ).toEqual([
      `0.places.0.annotations: ${POINTER}`,
      `0.places.0.content: ${POINTER}`,
      `0.places.2.content: ${POINTER}`,
    ]);
  });

  it.each<[string, TemplateTableOptions['resources'], string]>([
    [
      'a built-in workload',
      [{ resource: 'deployments.apps', places: [POD_TEMPLATE] }],
      '0.resource: is built in: leave it out',
    ],
    [
      'pods',
      [{ resource: 'pods', places: [POD_TEMPLATE] }],
      '0.resource: a pod has no template, and is stamped itself: leave it out',
    ],
    [
      'a resource twice',
      [
        { resource: 'a.b', places: [POD_TEMPLATE] },
        { resource: 'a.b', places: [POD_TEMPLATE] },
      ],
      '1.resource: is given twice: put all places under one',
    ],
  ])('refuses %s', (_, resources, problem) => {
    const result = buildTemplateTable({ resources });
    expect(
      result.ok ? [] : result.problems.map(({ path, message }) => `${path.join('.')}: ${message}`),
    ).toEqual([problem]);
  });

  it('prefers the configuration to what is known, and both to Kube2Hadoop’s paths', () => {
    const none = { places: [], searches: [] };
    const byPlural = { places: [], searches: [{ pathEndsWith: ['template'] }] };
    const others = { places: [], searches: [{ pathEndsWith: [] }] };
    const built = buildTemplateTable({
      resources: [{ resource: 'tfjobs.kubeflow.org', places: [{ ...POD_TEMPLATE, content: '/spec/other' }] }],
      plurals: new Map([
        ['tfjobs', byPlural],
        ['deployments', byPlural],
        ['pods', byPlural],
        ['ignored', none],
      ]),
      others,
    });
    if (!built.ok) throw new Error(JSON.stringify(built.problems));
    const rules = (resource: string): unknown => rulesFor(built.table, resource);
    expect(rules('tfjobs.kubeflow.org')).toMatchObject({
      places: [{ content: ['spec', 'other'] }],
      searches: [],
    });
    expect(rules('tfjobs.example.com')).toBe(byPlural);
    expect(rules('deployments.apps')).toMatchObject({ places: [{ content: ['spec', 'template', 'spec'] }] });
    expect(rules('deployments.example.com')).toBe(byPlural);
    expect(rules('ignored.example.com')).toBe(none);
    expect(rules('rayjobs.ray.io')).toBe(others);
    expect(rules('pods')).toBeUndefined();
  });

  it('knows nothing of a resource that nobody named', () => {
    const built = buildTemplateTable({ resources: [] });
    expect(built.ok && rulesFor(built.table, 'deployments.example.com')).toBeUndefined();
    expect(built.ok && rulesFor(built.table, 'deployments')).toBeUndefined();
    expect(built.ok && rulesFor(built.table, '__proto__')).toBeUndefined();
  });
});

describe('resourceKey', () => {
  it('is the plural and the group, or the plural alone', () => {
    expect(resourceKey({ group: 'apps', resource: 'deployments' })).toBe('deployments.apps');
    expect(resourceKey({ group: '', resource: 'podtemplates' })).toBe('podtemplates');
  });
});
