import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { account, requesterWorld } from '../../test/fakes/requester-world.ts';
import { EXEMPTIONS } from '../admission/requester/requesters-document.ts';
import { ConfigError } from './config-problem.ts';
import { parseRequesters } from './requesters.ts';
import { EXEMPT_FROM } from './requesters-schema.ts';

/** What is said of a text, `path: message` each; nothing if it is right. */
function problemsOf(text: string): string[] {
  try {
    parseRequesters(text);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.message.split('\n');
  }
}

const requesters = (text: string): string => `version: 1\n${text}`;
const rule = (text: string): string => requesters(`rules: [${text}]`);
const delegate = (text: string): string => requesters(`delegates: [${text}]`);
const exempt = (text: string): string => requesters(`exempt: [${text}]`);

describe('parseRequesters', () => {
  it.each<[string, string, RegExp]>([
    ['an empty file', '', /^version: write version: 1$/],
    ['another version', 'version: 2', /^version: write version: 1$/],
    ['a list', '- version: 1', /^expected object, received array$/],
    ['no YAML', 'version: [', /^not valid YAML at line 1: /],
    ['an unknown key', requesters('rule: []'), /^rule: unknown key; check its spelling/],
    ['__proto__ as a key', requesters('__proto__: {}'), /^__proto__: unknown key/],
    [
      '__proto__ as a group',
      requesters('groups: { __proto__: [a] }'),
      /^groups\.__proto__: the name of a group/,
    ],
    ['a glob in a group', requesters('groups: { a: ["b*"] }'), /^groups\.a\[0\]: can match nobody/],
    [
      'a trusted controller by a glob',
      requesters('trustedControllers: ["system:serviceaccount:kube-system:*"]'),
      /^trustedControllers\[0\]: must be one exact user name/,
    ],
    [
      'a trusted controller without a name',
      requesters('trustedControllers: [""]'),
      /^trustedControllers\[0\]: must not be empty/,
    ],
    [
      'a trusted account without a name',
      requesters('trustedControllers: ["system:serviceaccount:spark"]'),
      /^trustedControllers\[0\]: is no service account: write/,
    ],
    [
      'a trusted controller as text',
      requesters('trustedControllers: builtin'),
      /^trustedControllers: expected array/,
    ],

    [
      'a delegate by a glob',
      delegate('{ account: "hub*", users: [a], namespaces: [b] }'),
      /^delegates\[0\]\.account: must be one exact/,
    ],
    [
      'a delegate of nobody',
      delegate('{ account: hub, users: [], namespaces: [b] }'),
      /^delegates\[0\]\.users: must not be empty/,
    ],
    [
      'a delegate without namespaces',
      delegate('{ account: hub, users: [a] }'),
      /^delegates\[0\]\.namespaces: is required$/,
    ],
    [
      'a delegate of an unknown group',
      delegate('{ account: hub, users: ["group:x"], namespaces: [b] }'),
      /^delegates\[0\]\.users\[0\]: no such group/,
    ],
    [
      'a delegate of a principal',
      delegate('{ account: hub, users: [a@R], namespaces: [b] }'),
      /^delegates\[0\]\.users\[0\]: can match nobody/,
    ],
    [
      'a delegate of another word',
      delegate('{ account: hub, users: [a], namespaces: [b], withoutUser: itself }'),
      /^delegates\[0\]\.withoutUser: /,
    ],
    [
      'a delegate that is a trusted controller',
      requesters('trustedControllers: [x]\ndelegates: [{ account: x, users: [a], namespaces: [b] }]'),
      /^delegates\[0\]\.account: is one of trustedControllers too/,
    ],

    ['a rule about nobody', rule('{ user: a }'), /^rules\[0\]: is about nobody/],
    ['a rule about no name', rule('{ usernames: [], user: a }'), /^rules\[0\]\.usernames: must not be empty/],
    ['a rule about no group', rule('{ groups: [], user: a }'), /^rules\[0\]\.groups: must not be empty/],
    [
      'a rule about an empty name',
      rule('{ usernames: [""], user: a }'),
      /^rules\[0\]\.usernames\[0\]: must not be empty/,
    ],
    ['a rule without a result', rule('{ usernames: [a] }'), /^rules\[0\]: must say either user or refuse/],
    [
      'a rule with both results',
      rule('{ usernames: [a], user: a, refuse: true }'),
      /^rules\[0\]: must say either/,
    ],
    ['refuse: false', rule('{ usernames: [a], refuse: false }'), /^rules\[0\]\.refuse: write true/],
    [
      'lower case of a refusal',
      rule('{ usernames: [a], refuse: true, lowerCase: true }'),
      /^rules\[0\]\.lowerCase: has a meaning only/,
    ],
    [
      'two stars in a row',
      rule('{ usernames: ["a**"], user: a }'),
      /^rules\[0\]\.usernames\[0\]: has two stars/,
    ],
    [
      'a name too long',
      rule(`{ usernames: [${'a'.repeat(1_025)}], user: a }`),
      /^rules\[0\]\.usernames\[0\]: is longer than 1024/,
    ],
    [
      'a rule for nodes',
      rule('{ usernames: ["system:node:*"], user: a }'),
      /^rules\[0\]\.usernames\[0\]: never maps/,
    ],
    [
      'a rule for system:',
      rule('{ usernames: ["system:*"], user: a }'),
      /^rules\[0\]\.usernames\[0\]: never maps/,
    ],
    [
      'a rule for accounts of all namespaces',
      rule('{ usernames: ["system:serviceaccount:*:runner"], user: a }'),
      /^rules\[0\]\.usernames\[0\]: never maps/,
    ],
    [
      'a rule for accounts of some namespaces',
      rule('{ usernames: ["system:serviceaccount:ci-*"], user: a }'),
      /^rules\[0\]\.usernames\[0\]: never maps/,
    ],
    [
      'an account that chooses',
      rule('{ usernames: ["system:serviceaccount:ci:*"], user: "$1" }'),
      /^rules\[0\]\.usernames\[0\]: whoever may create service accounts there/,
    ],
    [
      'a capture without names',
      rule('{ groups: [g], user: "$1" }'),
      /^rules\[0\]\.user: has \$1, and there are no usernames/,
    ],
    [
      'a capture without a star',
      rule('{ usernames: ["*@a", b], user: "$1" }'),
      /^rules\[0\]\.usernames\[1\]: has fewer stars than user needs for \$1$/,
    ],
    [
      'a capture beyond the stars',
      rule('{ usernames: ["*@*"], user: "$3" }'),
      /^rules\[0\]\.usernames\[0\]: has fewer stars .* for \$3$/,
    ],
    ['$0', rule('{ usernames: ["*"], user: "$0" }'), /^rules\[0\]\.user: is no user name/],
    ['$10', rule('{ usernames: ["*"], user: "$10" }'), /^rules\[0\]\.user: is no user name/],
    ['$ before a letter', rule('{ usernames: ["*"], user: "$x" }'), /^rules\[0\]\.user: is no user name/],
    ['a principal', rule('{ usernames: ["*"], user: "$1@REALM" }'), /^rules\[0\]\.user: is no user name/],
    ['no user', rule('{ usernames: ["*"], user: "" }'), /^rules\[0\]\.user: is no user name/],
    ['a number for a user', rule('{ usernames: ["*"], user: 1 }'), /^rules\[0\]\.user: expected string/],
    [
      'a namespace in capitals',
      rule('{ usernames: [a], user: a, namespaces: [A] }'),
      /^rules\[0\]\.namespaces\[0\]: can match no namespace/,
    ],
    [
      'an unknown key of a rule',
      rule('{ username: [a], groups: [b], user: a }'),
      /^rules\[0\]\.username: unknown key/,
    ],

    ['another word for others', requesters('otherRequesters: any'), /^otherRequesters: /],
    ['an exemption of nobody', exempt('{ from: [images] }'), /^exempt\[0\]: is about nobody/],
    [
      'an exemption from nothing',
      exempt('{ usernames: [a], from: [] }'),
      /^exempt\[0\]\.from: must not be empty/,
    ],
    [
      'an exemption from what is not known',
      exempt('{ usernames: [a], from: [exec] }'),
      /^exempt\[0\]\.from\[0\]: expected one of/,
    ],
    [
      'an exemption of two stars',
      exempt('{ groups: ["**"], from: [images] }'),
      /^exempt\[0\]\.groups\[0\]: has two stars/,
    ],
  ])('refuses %s', (_title, text, problem) => {
    expect(problemsOf(text)).toEqual([expect.stringMatching(problem)]);
  });

  it('tells everything that is wrong at once, and repeats no value', () => {
    const problems = problemsOf(
      requesters('rules: [{ user: s3cret@x }]\ndelegates: [{ account: "s3cret*", users: ["group:s3cret"] }]'),
    );
    expect(problems.length).toBeGreaterThanOrEqual(4);
    expect(problems.join()).not.toContain('s3cret');
  });

  it('takes little, which is nobody but plain names', () => {
    expect(parseRequesters('version: 1')).toEqual({
      groups: new Map(),
      trustedControllers: [],
      delegates: [],
      rules: [],
      otherRequesters: 'themselves',
      exempt: [],
    });
  });

  it('takes names that only look odd', () => {
    expect(
      problemsOf(rule(String.raw`{ usernames: ['CORP\*', 'oidc:https://idp/#*', ' é'], user: 'a' }`)),
    ).toEqual([]);
    expect(problemsOf(rule('{ usernames: ["*-*"], user: "svc_$2.$1$" }'))).toEqual([]);
    expect(problemsOf(exempt('{ usernames: ["system:node:*"], from: [connect] }'))).toEqual([]);
  });

  it('gives what nobody can change', () => {
    const { rules } = parseRequesters(rule('{ usernames: [a], user: b }'));
    expect(Object.isFrozen(rules[0]?.usernames)).toBe(true);
  });
});

it('exempts from the same as the guard', () => {
  expect(EXEMPT_FROM).toEqual(EXEMPTIONS);
});

describe('docs/requesters.md', () => {
  const page = readFileSync(new URL('../../docs/requesters.md', import.meta.url), 'utf8');
  const example = /```yaml\n([\s\S]*?)```/.exec(page)?.[1] ?? '';
  const table = /\| Requester[\s\S]*?\n\n/.exec(page)?.[0] ?? '';
  const cells = (row: string): string[] =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim().replaceAll('`', ''));
  const rows = table.trim().split('\n').slice(2).map(cells);

  it('has a table with refusals and all kinds of results', () => {
    expect(rows.length).toBeGreaterThan(15);
    expect(rows.filter(([, , , , user]) => user === 'refused').length).toBeGreaterThan(rows.length / 2);
  });

  /** The refusals that one check alone is the cause of: the first four cells. */
  const ONLY_CHECKS = new Map([
    ['system:serviceaccount:hub:hub | – | team-a | alice', 'delegate-user'],
    ['alice@example.com | hadoop-users, contractors | team-a | –', 'requester-rule-refuses'],
    ['alice | hadoop-users | team-a | –', 'requester-others-mapped'],
    ['x/y@example.com | hadoop-users | team-a | –', 'requester-user-grammar'],
    ['hdfs@example.com | hadoop-users | team-a | –', 'requester-deny-list'],
  ]);
  const keyOf = (row: readonly string[]): string => row.slice(0, 4).join(' | ');
  const tagOf = (row: readonly string[]): string => {
    const check = ONLY_CHECKS.get(keyOf(row));
    return check === undefined ? '' : ` [${check}]`;
  };

  it('has those rows', () => {
    expect(rows.map(keyOf)).toEqual(expect.arrayContaining([...ONLY_CHECKS.keys()]));
  });

  const cases = rows.map((row) => ({ row, says: `${row.slice(0, 5).join(', ')}${tagOf(row)}` }));
  it.each(cases)('says it right: $says', async ({ row }) => {
    const [username = '', groups = '', namespace, named, user] = row;
    const world = requesterWorld({ requesters: parseRequesters(example) });
    const requester = username.startsWith('system:serviceaccount:')
      ? account(username.slice('system:serviceaccount:'.length))
      : { username, groups: groups.split(', ') };
    const result = await world(requester, namespace, named === '–' ? undefined : named);
    const shown = {
      user: '',
      refused: 'refused',
      'trusted-controller': 'of the template',
      'could-not-check': '?',
    };
    expect(result.outcome === 'user' ? result.user : shown[result.outcome]).toBe(user);
  });
});
