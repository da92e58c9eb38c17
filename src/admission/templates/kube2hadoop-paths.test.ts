import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { parse } from 'yaml';
import { findTemplates } from './find-templates.ts';
import { type Kube2HadoopPaths, takeOverPaths } from './kube2hadoop-paths.ts';
import { buildTemplateTable } from './template-table.ts';

type Configs = Readonly<
  Record<string, { readonly paths?: readonly string[]; readonly accounts?: readonly string[] }>
>;

const takeOver = (configs: Configs): ReturnType<typeof takeOverPaths> => {
  const read: Kube2HadoopPaths = {
    configs: new Map(
      Object.entries(configs).map(([resource, { paths = [], accounts = [] }]) => [
        resource,
        { paths, neverOverwriteAccounts: accounts },
      ]),
    ),
  };
  return takeOverPaths(read);
};

const SPEC = { containers: [{ name: 'a', image: 'b' }] };

function pointers(configs: Configs, resource: string, object: unknown): unknown {
  const built = buildTemplateTable({ resources: [], ...takeOver(configs) });
  if (!built.ok) throw new Error(JSON.stringify(built.problems));
  const found = findTemplates({ resource, object, table: built.table });
  return found.ok ? found.places.map(({ pointer }) => pointer) : found.problem;
}

const BECOMES_NOTHING = '"rayjobs": the path PATH becomes nothing: ';

describe('takeOverPaths', () => {
  it.each<[string, string, string]>([
    [
      'of the object itself',
      '.metadata.annotations',
      'only templates are trusted, not the annotations of the object itself',
    ],
    [
      'of the object itself, as a pointer',
      '/metadata/annotations',
      'only templates are trusted, not the annotations of the object itself',
    ],
    ['that is the object', '/', 'only templates are trusted, not the annotations of the object itself'],
    [
      'for anything named annotations',
      '..annotations',
      'only a search for metadata.annotations finds pod templates',
    ],
    ['for all maps', '..*', 'only a search for metadata.annotations finds pod templates'],
    [
      'for templates without their annotations',
      '..template',
      'only a search for metadata.annotations finds pod templates',
    ],
    [
      'of no pod template',
      '.spec.driver.annotations',
      'these are no annotations of a pod template: name them under templates, with the content that they belong to',
    ],
    [
      'with a filter',
      "..x[?(@.a=='b')].metadata.annotations",
      'only names, [n], [*] and a ".." at its start can be taken over',
    ],
    ['in the status', '.status.template', 'there are no templates in metadata and status'],
    ['in the metadata', '/metadata/template', 'there are no templates in metadata and status'],
  ])('says why it takes over no path %s', (_, path, why) => {
    const { notes, plurals } = takeOver({ rayjobs: { paths: [path] } });
    expect(notes).toEqual([
      expect.stringContaining(BECOMES_NOTHING.replace('PATH', JSON.stringify(path)) + why),
    ]);
    expect(plurals.get('rayjobs')).toEqual({ places: [], searches: [] });
  });

  it('says what becomes of accounts, of pods, and of a resource that is known', () => {
    const accounts = [String.raw`system:\S+`];
    const { notes, plurals, others } = takeOver({
      pods: { paths: ['..metadata.annotations'], accounts },
      tfjobs: { paths: ['/spec/tfReplicaSpecs/Ps/template'] },
      rayjobs: { paths: ['/spec/template'] },
    });
    expect(notes).toEqual([
      expect.stringMatching(
        /^"pods"\.neverOverwriteAccounts becomes nothing: it let those accounts name any user; /,
      ),
      expect.stringMatching(/^"pods" becomes nothing: every pod is stamped itself/),
      expect.stringMatching(
        /^"tfjobs" is known to Kerbridge, so its paths are only used for .* another group$/,
      ),
    ]);
    expect([...plurals.keys()]).toEqual(['tfjobs', 'rayjobs']);
    expect(others).toBeUndefined();
  });

  it('finds with the path of its README all templates, and never the object', () => {
    const configs = { alltypes: { paths: ['..metadata.annotations'], accounts: [String.raw`system:\S+`] } };
    const object = {
      metadata: { annotations: { a: 'b' } },
      spec: {
        head: { template: { metadata: { annotations: { a: 'b' } }, spec: SPEC } },
        workers: [{ spec: SPEC }],
      },
    };
    expect(pointers(configs, 'rayjobs.ray.io', object)).toEqual(['/spec/head/template', '/spec/workers/0']);
    expect(pointers(configs, 'pods', { metadata: { annotations: {} }, spec: SPEC })).toEqual([]);
    expect(pointers(configs, 'configmaps', { metadata: { annotations: {} }, data: { a: 'b' } })).toEqual([]);
  });

  it('finds with the paths of its tests those templates', () => {
    const paths = ['Ps', 'Chief', 'Worker', 'Evaluator'].map(
      (role) => `/spec/tfReplicaSpecs/${role}/template`,
    );
    const file = new URL('../../../test/fixtures/templates/tfjob/object.yaml', import.meta.url);
    const object: unknown = parse(readFileSync(file, 'utf8'));
    expect(pointers({ tfjobs: { paths } }, 'tfjobs.example.com', object)).toEqual([
      '/spec/tfReplicaSpecs/Chief/template',
      '/spec/tfReplicaSpecs/Worker/template',
    ]);
  });

  it.each<[string, unknown[]]>([
    ['$.spec.template.metadata.annotations', ['/spec/template']],
    ['.spec.template', ['/spec/template']],
    ["$.spec['template'].metadata['annotations']", ['/spec/template']],
    ['.spec.groups[*].template.metadata.annotations', ['/spec/groups/0/template', '/spec/groups/1/template']],
    ['/spec/groups/1/template/metadata/annotations', ['/spec/groups/1/template']],
    ['..groups[*].template.metadata.annotations', ['/spec/groups/0/template', '/spec/groups/1/template']],
    ['..spec.template.metadata.annotations', ['/spec/template']],
    [
      '..template.metadata.annotations',
      ['/spec/template', '/spec/groups/0/template', '/spec/groups/1/template'],
    ],
    ['..nothing.metadata.annotations', []],
  ])('finds with %s', (path, expected) => {
    const object = {
      spec: {
        template: { spec: SPEC },
        groups: [{ template: { spec: SPEC } }, { template: { spec: SPEC } }],
      },
    };
    expect(pointers({ rayjobs: { paths: [path] } }, 'rayjobs.ray.io', object)).toEqual(expected);
    expect(pointers({ alltypes: { paths: [path] } }, 'rayjobs.ray.io', object)).toEqual(expected);
    expect(pointers({ alltypes: { paths: [path] }, rayjobs: {} }, 'rayjobs.ray.io', object)).toEqual([]);
  });
});
