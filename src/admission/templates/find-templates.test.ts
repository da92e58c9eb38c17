import { describe, expect, it } from '@jest/globals';
import { formatPointer } from '../patch/json-pointer.ts';
import { digestOf } from './digest-of.ts';
import { findTemplates, type FindTemplatesResult, MAX_PLACES } from './find-templates.ts';
import { buildTemplateTable } from './template-table.ts';
import type { PlaceText, ResourceRules } from './template-rule.ts';

const RESOURCE = 'things.example.com';
const SPEC = { containers: [{ name: 'a', image: 'b' }] };

function find(object: unknown, places: readonly PlaceText[], others?: ResourceRules): FindTemplatesResult {
  const resources = places.length === 0 ? [] : [{ resource: RESOURCE, places }];
  const built = buildTemplateTable({ resources, others });
  if (!built.ok) throw new Error(JSON.stringify(built.problems));
  return findTemplates({ resource: RESOURCE, object, table: built.table });
}

const podTemplate = (at: string): PlaceText => ({
  annotations: `${at}/metadata/annotations`,
  content: `${at}/spec`,
});
const pointers = (result: FindTemplatesResult): unknown =>
  result.ok ? result.places.map(({ pointer }) => pointer) : result.problem;

const inTemplate = (template: unknown): unknown => ({ spec: { template } });

describe('findTemplates', () => {
  it.each<[string, unknown, string]>([
    ['an object that is a list', [], 'the object is a list, not a map'],
    ['no object', undefined, 'the object is nothing of JSON, not a map'],
    ['content that is a text', inTemplate({ spec: 'x' }), '/spec/template/spec is a text, not a map'],
    ['content that is a list', inTemplate({ spec: [] }), '/spec/template/spec is a list, not a map'],
    [
      'metadata that is a list',
      inTemplate({ metadata: [], spec: SPEC }),
      '/spec/template/metadata is a list, not a map',
    ],
    [
      'annotations that are a list',
      inTemplate({ metadata: { annotations: [] }, spec: SPEC }),
      '/spec/template/metadata/annotations is a list, not a map',
    ],
    [
      'annotations that are a text',
      inTemplate({ metadata: { annotations: 'a' }, spec: SPEC }),
      '/spec/template/metadata/annotations is a text, not a map',
    ],
    [
      'metadata that is false',
      inTemplate({ metadata: false, spec: SPEC }),
      '/spec/template/metadata is a boolean, not a map',
    ],
  ])('says what is wrong with %s', (_, object, problem) => {
    expect(find(object, [podTemplate('/spec/template')])).toEqual({ ok: false, problem });
  });

  it.each<[string, unknown]>([
    ['there is nothing', {}],
    ['there is no template', { spec: {} }],
    ['the template is null', inTemplate(null)],
    ['the template is a text', inTemplate('spec')],
    ['the template is a list', inTemplate([{ spec: SPEC }])],
    ['there is no content', inTemplate({ metadata: {} })],
    ['the content is null', inTemplate({ spec: null })],
    ['only a prototype has it', Object.create({ spec: { template: { spec: SPEC } } })],
  ])('finds none where %s', (_, object) => {
    expect(find(object, [podTemplate('/spec/template')])).toEqual({ ok: true, places: [] });
  });

  it('finds none of pods, and of what nobody told it about', () => {
    expect(find(inTemplate({ spec: SPEC }), [])).toEqual({ ok: true, places: [] });
    const built = buildTemplateTable({
      resources: [],
      others: { places: [], searches: [{ pathEndsWith: [] }] },
    });
    if (!built.ok) throw new Error('no table');
    const object = { spec: SPEC, metadata: { spec: SPEC } };
    expect(findTemplates({ resource: 'pods', object, table: built.table })).toEqual({ ok: true, places: [] });
  });

  it('says what is there, without the annotations that are no texts', () => {
    const annotations = JSON.parse('{"a":"b","n":5,"__proto__":"c","l":[],"z":null}') as unknown;
    const result = find(inTemplate({ metadata: { annotations }, spec: SPEC }), [
      podTemplate('/spec/template'),
    ]);
    expect(result).toEqual({
      ok: true,
      places: [
        {
          pointer: '/spec/template',
          annotations: ['spec', 'template', 'metadata', 'annotations'],
          annotationsNow: new Map([
            ['a', 'b'],
            ['__proto__', 'c'],
          ]),
          content: SPEC,
        },
      ],
    });
  });

  it('goes with * over maps and lists, and over maps in lists in maps', () => {
    const object = {
      spec: {
        groups: {
          'a/b': {
            workers: [{ template: { spec: SPEC } }, { template: null }, { template: { spec: SPEC } }],
          },
          none: null,
          text: 'workers',
          '*': { workers: { '~': { template: { spec: SPEC } } } },
          empty: { workers: [] },
        },
      },
    };
    expect(pointers(find(object, [podTemplate('/spec/groups/*/workers/*/template')]))).toEqual([
      '/spec/groups/a~1b/workers/0/template',
      '/spec/groups/a~1b/workers/2/template',
      '/spec/groups/*/workers/~0/template',
    ]);
  });

  it('takes an element of a list by its number', () => {
    const object = { spec: [{ spec: SPEC }, { spec: SPEC }] };
    expect(
      pointers(find(object, [podTemplate('/spec/1'), podTemplate('/spec/2'), podTemplate('/spec/length')])),
    ).toEqual(['/spec/1']);
  });

  it('finds a template once, however many paths lead there', () => {
    const object = { spec: { a: { spec: SPEC } } };
    expect(pointers(find(object, [podTemplate('/spec/a'), podTemplate('/spec/*')]))).toEqual(['/spec/a']);
  });

  it.each([MAX_PLACES, MAX_PLACES + 1])('takes 200 templates and no more: %d', (count) => {
    const object = { spec: Array.from({ length: count }, () => ({ spec: SPEC })) };
    const result = find(object, [podTemplate('/spec/*')]);
    if (count <= MAX_PLACES) expect(pointers(result)).toHaveLength(count);
    else expect(result).toEqual({ ok: false, problem: 'it has more than 200 templates: split it' });
  });

  it('gives up on more members than any real object has', () => {
    const object = { spec: Array.from({ length: 100_001 }, () => 1) };
    const problem = 'it has too many parts to look for templates: split it';
    expect(find(object, [podTemplate('/spec/*')])).toEqual({ ok: false, problem });
  });

  it('leaves the annotations of every template out of content that holds them', () => {
    const places = [
      podTemplate('/spec/workers/*'),
      { annotations: '/spec/podMetadata/annotations', content: '/spec' },
    ];
    const worker = (stamp?: string): unknown => ({
      metadata: stamp === undefined ? {} : { annotations: { stamp } },
      spec: SPEC,
    });
    const digests = (object: unknown): unknown[] => {
      const result = find(object, places);
      if (!result.ok) throw new Error(result.problem);
      return result.places.map(({ content }) => digestOf(content));
    };
    const before = digests({ spec: { workers: [worker(), worker()] } });
    expect(before).toHaveLength(3);
    expect(
      digests({
        spec: { workers: [worker('a'), worker('b')], podMetadata: { annotations: { stamp: 'c' } } },
      }),
    ).toEqual(before);
    expect(digests({ spec: { workers: [worker(), worker()], podMetadata: { labels: {} } } })).not.toEqual(
      before,
    );
  });
});

describe('findTemplates by their look', () => {
  const search = (object: unknown, ...pathEndsWith: string[]): FindTemplatesResult =>
    find(object, [], { places: [], searches: [{ pathEndsWith }] });

  it('finds pod templates wherever they are, in the order of the object', () => {
    const object = {
      metadata: { annotations: {}, spec: SPEC },
      spec: {
        replicaSpecs: {
          Worker: { template: { spec: SPEC } },
          Chief: { template: { metadata: { annotations: null }, spec: SPEC } },
        },
        list: [[{ spec: SPEC }]],
      },
    };
    const result = search(object);
    expect(pointers(result)).toEqual([
      '/spec/replicaSpecs/Worker/template',
      '/spec/replicaSpecs/Chief/template',
      '/spec/list/0/0',
    ]);
    expect(result.ok && result.places.map(({ annotations }) => formatPointer(annotations)).at(-1)).toBe(
      '/spec/list/0/0/metadata/annotations',
    );
  });

  it.each<[string, unknown]>([
    ['the object itself, like a pod', { metadata: {}, spec: SPEC }],
    ['what is in its metadata', { metadata: { a: { spec: SPEC } } }],
    ['what is in its status', { status: { a: { spec: SPEC } } }],
    ['a claim’s template', { spec: { claims: [{ metadata: {}, spec: { resources: {} } }] } }],
    ['a job’s template', { spec: { jobTemplate: { metadata: {}, spec: {} } } }],
    ['containers that are a map', { spec: { a: { spec: { containers: {} } } } }],
    ['containers without a spec', { spec: { a: { containers: [] } } }],
    ['metadata alone', { spec: { a: { metadata: { annotations: {} } } } }],
  ])('takes for none: %s', (_, object) => {
    expect(search(object)).toEqual({ ok: true, places: [] });
  });

  it('finds none within one, whose content it is', () => {
    const inner = { spec: SPEC };
    expect(pointers(search({ spec: { a: { spec: { ...SPEC, volumes: [inner] }, other: inner } } }))).toEqual([
      '/spec/a',
    ]);
  });

  it('keeps to the end of the path that it was given', () => {
    const object = { spec: { a: { template: { spec: SPEC } }, b: { spec: SPEC }, template: { spec: SPEC } } };
    expect(pointers(search(object, 'template'))).toEqual(['/spec/a/template', '/spec/template']);
    expect(pointers(search(object, 'a', 'template'))).toEqual(['/spec/a/template']);
    expect(pointers(search(object, 'x', 'spec', 'a', 'template'))).toEqual([]);
  });

  it.each<[string, string, string]>([
    [
      'too deep',
      `{"spec":${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}}`,
      'it is nested more than 100 deep: make it flatter',
    ],
    [
      'too many',
      `{"spec":[${'[],'.repeat(100_000)}[]]}`,
      'it has too many parts to look for templates: split it',
    ],
  ])('gives up on maps and lists that are %s', (_, text, problem) => {
    expect(search(JSON.parse(text))).toEqual({ ok: false, problem });
  });
});
