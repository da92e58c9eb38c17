import { describe, expect, it } from '@jest/globals';
import { ConfigError } from './config-problem.ts';
import { parseKube2HadoopPaths } from './kube2hadoop-paths-file.ts';

function problemsOf(text: string): string[] {
  try {
    parseKube2HadoopPaths(text);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.message.split('\n');
  }
}

describe('parseKube2HadoopPaths', () => {
  it.each<[string, string, RegExp]>([
    ['an empty file', '', /^configs: is required$/],
    ['no YAML', 'configs: [', /^not valid YAML at line 1/],
    ['another key', 'configs: {}\nconfig: {}', /^config: unknown key/],
    ['another key of a resource', 'configs: { pods: { path: [/] } }', /^configs\.pods\.path: unknown key/],
    ['a list of resources', 'configs: [pods]', /^configs: expected record/],
    ['a text for the paths', 'configs: { pods: { paths: / } }', /^configs\.pods\.paths: expected array/],
    [
      'a number for a path',
      'configs: { pods: { paths: [1] } }',
      /^configs\.pods\.paths\[0\]: expected string/,
    ],
    [
      'a resource with its group',
      'configs: { tfjobs.kubeflow.org: {} }',
      /must be alltypes, or the plural of a resource without its group/,
    ],
    ['the whole ConfigMap', 'kind: ConfigMap\ndata: {}', /unknown key|is required/],
  ])('refuses %s', (_, text, problem) => {
    expect(problemsOf(text)[0]).toMatch(problem);
  });

  it('reads the file of its README, and one with lists left out', () => {
    const text = String.raw`
configs:
  alltypes:
    paths:
      - ..metadata.annotations
    neverOverwriteAccounts:
      - system:\S+
  pods:
    paths:
    neverOverwriteAccounts: []
  tfjobs: {}
`;
    expect(parseKube2HadoopPaths(text).configs).toEqual(
      new Map([
        ['alltypes', { paths: ['..metadata.annotations'], neverOverwriteAccounts: [String.raw`system:\S+`] }],
        ['pods', { paths: [], neverOverwriteAccounts: [] }],
        ['tfjobs', { paths: [], neverOverwriteAccounts: [] }],
      ]),
    );
  });
});
