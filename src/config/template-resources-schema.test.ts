import { describe, expect, it } from '@jest/globals';
import { formatProblem } from './config-problem.ts';
import { explainIssue } from './explain-issue.ts';
import { templateResourcesSchema } from './template-resources-schema.ts';

const PLACE = { annotations: '/spec/*/metadata/annotations', content: '/spec/*/spec' };

function problemsOf(input: unknown): string[] {
  const parsed = templateResourcesSchema.safeParse(input);
  return parsed.success ? [] : parsed.error.issues.flatMap(explainIssue).map(formatProblem);
}

const one = (change: object): unknown => [
  { resource: 'tfjobs.kubeflow.org', places: [{ ...PLACE, ...change }] },
];

describe('templateResourcesSchema', () => {
  it.each<[string, unknown, RegExp]>([
    ['no list', {}, /^expected array/],
    ['an unknown key', one({ path: '/spec' }), /path: unknown key/],
    ['no content', one({ content: undefined }), /content: is required$/],
    [
      'a JSONPath',
      one({ content: '..spec' }),
      /content: must be a JSON pointer such as \/spec\/template\/spec/,
    ],
    ['an empty path', one({ annotations: '' }), /annotations: must be a JSON pointer/],
    ['an escape that is none', one({ annotations: '/a~2b' }), /annotations: must be a JSON pointer/],
    [
      'too many keys',
      one({ content: '/a'.repeat(33) }),
      /content: must be a JSON pointer .* at most 32 keys/,
    ],
    ['a path too long', one({ content: `/${'a'.repeat(2_000)}` }), /content: must not be longer/],
    [
      'a list of exceptions too long',
      one({ without: Array(51).fill('/spec/*/spec/a') }),
      /without: must not have more than 50 paths/,
    ],
    ['no place', [{ resource: 'a.b', places: [] }], /places: must not be empty: name a place/],
    [
      'too many places',
      [{ resource: 'a.b', places: Array.from({ length: 21 }, () => PLACE) }],
      /places: must not have more than 20/,
    ],
    [
      'too many resources',
      Array.from({ length: 201 }, () => ({ resource: 'a.b', places: [PLACE] })),
      /must not have more than 200/,
    ],
    [
      'a kind for the resource',
      [{ resource: 'TFJob', places: [PLACE] }],
      /resource: must be the plural of a resource and its group/,
    ],
    ['group and version', [{ resource: 'kubeflow.org/v1', places: [PLACE] }], /resource: must be the plural/],
    [
      'a resource too long',
      [{ resource: `a${'.a'.repeat(127)}`, places: [PLACE] }],
      /resource: must be the plural/,
    ],
  ])('refuses %s', (_, input, problem) => {
    expect(problemsOf(input)).toEqual([expect.stringMatching(problem)]);
  });

  it('takes what there is to say', () => {
    expect(problemsOf([])).toEqual([]);
    expect(problemsOf(one({ requires: '/spec/*/~0~1', without: ['/spec/*/spec/suspend'] }))).toEqual([]);
    expect(problemsOf([{ resource: 'things', places: [PLACE] }])).toEqual([]);
  });
});
