import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { denyEntryProblem } from '../identity/deny-list.ts';
import { compileIdentityRules } from '../identity/identity-rules.ts';
import { ConfigError } from './config-problem.ts';
import { parseIdentityRules } from './identity-rules.ts';

/** What is said of a text, `path: message` each; nothing if it is right. */
function problemsOf(text: string): string[] {
  try {
    parseIdentityRules(text);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.message.split('\n');
  }
}

const rules = (text: string): string => `version: 1\n${text}`;
const namespaceRule = (rule: string): string => rules(`otherNamespaces: none\nnamespaces: [${rule}]`);

describe('parseIdentityRules', () => {
  it.each<[string, string, RegExp]>([
    ['an empty file', '', /^version: write version: 1$/],
    ['another version', 'version: 2', /^version: write version: 1$/],
    ['a version in quotes', 'version: "1"', /^version: write version: 1$/],
    ['a list', '- version: 1', /^expected object, received array$/],
    ['no YAML', 'version: [', /^not valid YAML at line 1: /],
    ['a key twice', 'version: 1\nversion: 1', /^not valid YAML at line 2: a key is given twice/],
    ['a tag', rules('denyUsers: !!js/undefined x'), /^not valid YAML at line 2: a tag/],
    ['an unknown key', rules('denyUser: [a]'), /^denyUser: unknown key; check its spelling/],
    ['__proto__ as a key', rules('__proto__: {}'), /^__proto__: unknown key/],
    [
      'an unknown key of a rule',
      namespaceRule('{ namespaces: [a], user: [b], users: [] }'),
      /\[0\]\.user: unknown/,
    ],
    ['a rule without users', namespaceRule('{ namespaces: [a] }'), /^namespaces\[0\]\.users: is required$/],
    [
      'a rule for no namespace',
      namespaceRule('{ namespaces: [], users: [a] }'),
      /^namespaces\[0\]\.namespaces: must not be empty/,
    ],
    [
      'a text for a list',
      namespaceRule('{ namespaces: a, users: [a] }'),
      /^namespaces\[0\]\.namespaces: expected array/,
    ],
    [
      'a namespace in capitals',
      namespaceRule('{ namespaces: [Team], users: [] }'),
      /\.namespaces\[0\]: can match no namespace/,
    ],
    [
      'a namespace with a dot',
      namespaceRule('{ namespaces: [a.b], users: [] }'),
      /\.namespaces\[0\]: can match no namespace/,
    ],
    [
      'a namespace too long',
      namespaceRule(`{ namespaces: [${'a'.repeat(64)}], users: [] }`),
      /can match no namespace/,
    ],
    [
      'nothing said of other namespaces',
      rules('namespaces: []'),
      /^otherNamespaces: is required with namespaces/,
    ],
    [
      'something else said of them',
      rules('otherNamespaces: all'),
      /^otherNamespaces: expected one of "any"\|"none"$/,
    ],
    [
      'a group that there is not',
      namespaceRule('{ namespaces: [a], users: ["group:ops"] }'),
      /^namespaces\[0\]\.users\[0\]: no such group/,
    ],
    [
      'a group in capitals',
      `${namespaceRule('{ namespaces: [a], users: ["group:OPS"] }')}\ngroups: { ops: [] }`,
      /no such group/,
    ],
    [
      'a group that every object has',
      namespaceRule('{ namespaces: [a], users: ["group:constructor"] }'),
      /no such group/,
    ],
    [
      'a group without name',
      namespaceRule('{ namespaces: [a], users: ["group:"] }'),
      /users\[0\]: can match nobody/,
    ],
    [
      'a group named __proto__',
      rules('groups: { __proto__: [a] }'),
      /^groups\.__proto__: the name of a group is/,
    ],
    ['a group name with a space', rules('groups: { "a b": [a] }'), /^groups\.a b: the name of a group is/],
    ['a glob in a group', rules('groups: { ops: ["a*"] }'), /^groups\.ops\[0\]: can match nobody/],
    ['a group in a group', rules('groups: { ops: ["group:ops"] }'), /^groups\.ops\[0\]: can match nobody/],
    ['a principal in a group', rules('groups: { ops: [a@R] }'), /^groups\.ops\[0\]: can match nobody/],
    [
      'a number for a name',
      rules('groups: { ops: [123] }'),
      /^groups\.ops\[0\]: expected string, received number$/,
    ],
    ['doAs without by', rules('doAs: [{ users: [a] }]'), /^doAs\[0\]\.by: is required$/],
    ['doAs for nobody', rules('doAs: [{ users: [], by: [a] }]'), /^doAs\[0\]\.users: must not be empty/],
    ['doAs by nobody', rules('doAs: [{ users: [a], by: [] }]'), /^doAs\[0\]\.by: must not be empty/],
    [
      'doAs from nowhere',
      rules('doAs: [{ users: [a], by: [b], namespaces: [] }]'),
      /^doAs\[0\]\.namespaces: must not be empty/,
    ],
    [
      'doAs for everybody',
      rules('doAs: [{ users: ["*"], by: [a] }]'),
      /^doAs\[0\]\.users\[0\]: would let a pod be everybody/,
    ],
    [
      'doAs for everybody, spelled out',
      rules('doAs: [{ users: ["**"], by: [a] }]'),
      /would let a pod be everybody/,
    ],
    [
      'doAs for an unknown group',
      rules('doAs: [{ users: ["group:x"], by: [a] }]'),
      /^doAs\[0\]\.users\[0\]: no such group/,
    ],
    ['a denied principal', rules('denyUsers: [a@R]'), /^denyUsers\[0\]: can match nobody/],
    [
      'a denied group',
      rules('groups: { ops: [] }\ndenyUsers: ["group:ops"]'),
      /^denyUsers\[0\]: can match nobody/,
    ],
  ])('refuses %s', (_, text, problem) => {
    expect(problemsOf(text)).toEqual([expect.stringMatching(problem)]);
  });

  const NO_ENTRIES = [
    '',
    ' ',
    ' alice',
    'a@R',
    'hdfs/nn',
    'a/*',
    'svc-.*',
    '/^a/',
    '^a$',
    '[a-z]+',
    'a|b',
    'a?',
    'a, b',
    'a$b',
    '1a',
    '\u0430lice',
    'a\\n',
    'user:a',
  ];
  it.each(NO_ENTRIES)('refuses the entry %j wherever users are named, without its text', (entry) => {
    const text = JSON.stringify({
      version: 1,
      namespaces: [{ namespaces: ['a'], users: [entry] }],
      otherNamespaces: 'none',
      doAs: [{ users: [entry], by: [entry] }],
      denyUsers: [entry],
    });
    const problems = problemsOf(text);
    expect(problems.map((problem) => problem.split(':')[0])).toEqual([
      'namespaces[0].users[0]',
      'doAs[0].users[0]',
      'doAs[0].by[0]',
      'denyUsers[0]',
    ]);
    for (const problem of problems) expect(problem.split(': ').slice(1).join()).toMatch(/^can match nobody/);
  });

  it.each([
    'alice',
    'svc-*',
    '*-admin',
    'a*b*c',
    '*',
    'host$',
    'host*$',
    'a.b',
    '_x',
    '__proto__',
    'constructor',
    ...NO_ENTRIES,
  ])('takes %j as a denied user exactly if the configuration does, but for spaces around it', (entry) => {
    const isTaken = problemsOf(JSON.stringify({ version: 1, denyUsers: [entry] })).length === 0;
    expect(isTaken).toBe(entry === entry.trim() && denyEntryProblem(entry) === undefined);
  });

  it('finds all problems at once, and repeats no value', () => {
    const problems = problemsOf(`
version: hunter2
groups: { ops: [hunter2@R], 'b c': [] }
namespaces:
  - namespaces: [HUNTER2]
    users: ['group:hunter2']
doAs: [{ users: ['*'], by: ['group:none'], namespace: [hunter2] }]
denyUsers: [hunter2/x]
`);
    expect(problems.map((problem) => problem.split(':')[0])).toEqual([
      'version',
      'groups.ops[0]',
      'namespaces[0].namespaces[0]',
      'doAs[0].users[0]',
      'doAs[0].namespace',
      'denyUsers[0]',
      'groups.b c',
      'namespaces[0].users[0]',
      'doAs[0].by[0]',
      'otherNamespaces',
    ]);
    expect(problems.join('\n').toLowerCase()).not.toContain('hunter2');
  });

  it('has nothing to say of a file that says nothing', () => {
    expect(parseIdentityRules('version: 1')).toEqual({
      groups: new Map(),
      namespaces: [],
      otherNamespaces: 'any',
      doAs: [],
      denyUsers: [],
    });
  });

  it('takes a group named like a member of every object', () => {
    const file = parseIdentityRules(
      `${namespaceRule('{ namespaces: [a], users: ["group:constructor"] }')}\ngroups: { constructor: [__proto__] }`,
    );
    expect(compileIdentityRules(file).allowsUser('a', '__proto__')).toBe(true);
  });
});

describe('docs/identity-rules.md', () => {
  const page = readFileSync(new URL('../../docs/identity-rules.md', import.meta.url), 'utf8');
  const examples = [...page.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, yaml = '']) => yaml);
  const { allowsUser, allowsDoAs, denyUsers } = compileIdentityRules(parseIdentityRules(examples[0] ?? ''));
  const rows = [...page.matchAll(/^\| `([^`]+)` +\| `([^`]+)` +\| (?:`([^`]+)`|–) +\| (yes|no)\b/gm)];

  it('has rows', () => {
    expect(rows.length).toBeGreaterThan(8);
  });

  it.each(
    rows.map(([, namespace = '', user = '', doAs, answer = '']) => [namespace, user, doAs, answer] as const),
  )(
    'says for its example that a pod in %s of %s that asks for %s gets credentials: %s',
    (namespace, user, doAs, answer) => {
      const allowed =
        allowsUser(namespace, user) &&
        (doAs === undefined || allowsDoAs({ namespace, user, doAs })) &&
        [user, doAs ?? user].every((each) => denyUsers(each) === undefined);
      expect(allowed ? 'yes' : 'no').toBe(answer);
    },
  );
});
