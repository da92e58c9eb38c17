import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import type { Revocation } from '../identity/revocations.ts';
import { ConfigError } from './config-problem.ts';
import {
  formatRevocations,
  MAX_REVOCATION_TEXT,
  MAX_REVOCATIONS_BYTES,
  parseRevocations,
  type RevocationEntry,
} from './revocations-document.ts';
import { readYaml } from './read-yaml.ts';

const problemsOf = (act: () => unknown): string[] => {
  try {
    act();
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.message.split('\n');
  }
};

const document = (entry: string): string => `version: 1\nrevocations:\n  - ${entry}`;
const withUser = (terms: string): string => document(`{ user: alice, ${terms} }`);
const withPod = (pod: string): string => document(`{ pod: { ${pod} }, revokedAt: 2026-01-01T00:00:00Z }`);

const NOW = Date.parse('2026-01-01T00:00:00Z');
const alice: RevocationEntry = { user: 'alice', revokedAt: NOW, until: undefined, reason: '' };

describe('parseRevocations', () => {
  it.each<[string, string, RegExp]>([
    ['an empty list without version', 'revocations: []', /^version: write version: 1$/],
    ['no list', 'version: 1', /^revocations: is required$/],
    ['another version', 'version: 2\nrevocations: []', /^version: write version: 1$/],
    ['no YAML', 'version: {', /^not valid YAML/],
    ['an unknown key', 'version: 1\nrevocations: []\nrevocation: []', /^revocation: unknown key/],
    [
      'an unknown key of an entry',
      withUser('revokedAt: 2026-01-01T00:00:00Z, untill: x'),
      /^revocations\[0\]\.untill: unknown key/,
    ],
    [
      'neither user nor pod',
      document('{ revokedAt: 2026-01-01T00:00:00Z }'),
      /^revocations\[0\]: name a user or a pod/,
    ],
    [
      'both',
      document('{ user: a, pod: { namespace: a, name: b, uid: c }, revokedAt: 2026-01-01T00:00:00Z }'),
      /only one of them$/,
    ],
    [
      'a principal',
      document('{ user: a@R, revokedAt: 2026-01-01T00:00:00Z }'),
      /^revocations\[0\]\.user: can match nobody/,
    ],
    ['a glob', document('{ user: "svc-*", revokedAt: 2026-01-01T00:00:00Z }'), /\.user: can match nobody/],
    [
      'a look-alike',
      document('{ user: \u0430lice, revokedAt: 2026-01-01T00:00:00Z }'),
      /\.user: can match nobody/,
    ],
    ['a pod without UID', withPod('namespace: a, name: b'), /^revocations\[0\]\.pod\.uid: is required$/],
    [
      'a pod of no namespace',
      withPod('namespace: A/B, name: b, uid: c'),
      /\.pod\.namespace: is no name of a namespace$/,
    ],
    ['a pod with a slash', withPod('namespace: a, name: b/c, uid: c'), /\.pod\.name: is no name of a pod$/],
    ['an odd UID', withPod('namespace: a, name: b, uid: "c/d"'), /\.pod\.uid: is no UID/],
    ['no time', withUser('reason: x'), /^revocations\[0\]\.revokedAt: write a time of RFC 3339/],
    [
      'a time without zone',
      withUser('revokedAt: 2026-01-01T00:00:00'),
      /\.revokedAt: write a time of RFC 3339/,
    ],
    ['a date', withUser('revokedAt: 2026-01-01'), /\.revokedAt: write a time/],
    ['a day that there is not', withUser('revokedAt: 2026-02-30T00:00:00Z'), /\.revokedAt: write a time/],
    ['a number for a time', withUser('revokedAt: 1767225600000'), /\.revokedAt: write a time/],
    ['a wrong end', withUser('revokedAt: 2026-01-01T00:00:00Z, until: tomorrow'), /\.until: write a time/],
    [
      'two lines of reason',
      withUser('revokedAt: 2026-01-01T00:00:00Z, reason: "a\\nb"'),
      /\.reason: must be one line/,
    ],
    [
      'a control character',
      withUser('revokedAt: 2026-01-01T00:00:00Z, reason: "\\e[2K"'),
      /\.reason: must be one line/,
    ],
    [
      'a turned direction',
      withUser('revokedAt: 2026-01-01T00:00:00Z, by: "\\u202Ea"'),
      /\.by: must be one line/,
    ],
    [
      'a line separator',
      withUser('revokedAt: 2026-01-01T00:00:00Z, by: "a\\u2028b"'),
      /\.by: must be one line/,
    ],
    [
      'a long reason',
      withUser(`revokedAt: 2026-01-01T00:00:00Z, reason: ${'x'.repeat(MAX_REVOCATION_TEXT + 1)}`),
      /\.reason: must be one line/,
    ],
  ])('refuses %s', (_, text, problem) => {
    expect(problemsOf(() => parseRevocations(text))).toEqual([expect.stringMatching(problem)]);
  });

  it.each(['', '\n', '# nobody', '---'])('does not take %j for an empty list', (text) => {
    expect(problemsOf(() => parseRevocations(text))).toHaveLength(2);
  });

  it('finds all problems at once, and repeats no value', () => {
    const text =
      'version: 3\nrevocations:\n  - { user: hunter2@R, revokedAt: hunter2 }\n  - { users: [hunter2], revokedAt: 2026-01-01T00:00:00Z, until: hunter2 }';
    const problems = problemsOf(() => parseRevocations(text));
    expect(problems.map((problem) => problem.split(':')[0])).toEqual([
      'version',
      'revocations[0].user',
      'revocations[0].revokedAt',
      'revocations[1].until',
      'revocations[1].users',
      'revocations[1]',
    ]);
    expect(problems.join()).not.toContain('hunter2');
  });

  it('reads what docs/identity-rules.md shows, as the identity part wants it', () => {
    const page = readFileSync(new URL('../../docs/identity-rules.md', import.meta.url), 'utf8');
    const example = page.split('## Revocations')[1]?.match(/```yaml\n([\s\S]*?)```/)?.[1] ?? '';
    const revocations: readonly Revocation[] = parseRevocations(example);
    expect(revocations).toEqual([
      {
        user: 'mallory',
        revokedAt: Date.UTC(2026, 0, 31, 12),
        until: undefined,
        reason: 'left the company',
        by: 'carol',
      },
      {
        pod: { namespace: 'team-a', name: 'job-1', uid: '0f5f4a4e-1c5b-4d6f-9d44-0c1f3a1f7b2e' },
        revokedAt: Date.UTC(2026, 0, 31, 11),
        until: Date.UTC(2026, 1, 1),
        reason: '',
      },
    ]);
  });

  const own = formatRevocations([alice, { ...alice, user: 'bob' }]);

  it.each<[string, string, RegExp]>([
    ['a list that is given twice', own.replace('{', '{ "revocations": [],'), /a key is given twice/],
    ['a key of an entry given twice', own.replace('"user"', '"user":"x","user"'), /a key is given twice/],
    ['another version', own.replace('1,', '2,'), /^version: write version: 1$/],
    ['no list', '{\n  "version": 1,\n  "revocations": {}\n}\n', /^revocations: /],
    ['a name that there can not be', own.replace('bob', 'b*'), /^revocations\[1\]\.user: can match nobody/],
    ['half of it', own.slice(0, -10), /^not valid YAML/],
    ['too much of it', own + ' '.repeat(MAX_REVOCATIONS_BYTES), /^the list is larger than 1048576 bytes/],
  ])('refuses %s, in JSON too', (_, text, problem) => {
    expect(problemsOf(() => parseRevocations(text))[0]).toMatch(problem);
  });

  it.each([
    ['as it was written', own],
    ['laid out otherwise', JSON.stringify(JSON.parse(own))],
    ['with a comment', `${own}# carol`],
    ['with a comma left over', own.replace('}\n  ]', '},\n  ]')],
  ])('reads JSON %s', (_, text) => {
    expect(parseRevocations(text)).toEqual([alice, { ...alice, user: 'bob' }]);
  });

  it.each(['__proto__', 'constructor', 'host$'])('reads the user %s', (user) => {
    const text = document(`{ user: ${user}, revokedAt: 2026-01-01T00:00:00Z }`);
    expect(parseRevocations(text)).toEqual([{ ...alice, user }]);
  });
});

describe('formatRevocations', () => {
  it.each<[string, RevocationEntry]>([
    ['two lines', { ...alice, reason: 'a\nb' }],
    ['a user that there can not be', { ...alice, user: 'svc-*' }],
    ['a time that there is not', { ...alice, revokedAt: Number.NaN }],
    ['a time after all calendars', { ...alice, until: 8.64e15 }],
  ])('writes no %s', (_, entry) => {
    expect(problemsOf(() => formatRevocations([entry]))).toHaveLength(1);
  });

  it('writes what a person can read', () => {
    expect(
      formatRevocations([
        { user: 'alice', revokedAt: NOW, until: NOW + 1_500, reason: 'left: "now"', by: 'carol' },
      ]),
    ).toBe(`{
  "version": 1,
  "revocations": [
    {"user":"alice","revokedAt":"2026-01-01T00:00:00.000Z","until":"2026-01-01T00:00:01.500Z","reason":"left: \\"now\\"","by":"carol"}
  ]
}
`);
    expect(formatRevocations([alice, { ...alice, user: 'bob' }]).split('\n')).toHaveLength(8);
    expect(formatRevocations([])).toBe('{\n  "version": 1,\n  "revocations": []\n}\n');
  });

  it('writes YAML', () => {
    const text = formatRevocations([alice]);
    expect(readYaml(text)).toEqual({ ok: true, value: JSON.parse(text) as unknown });
  });

  it('writes no list that is larger than a ConfigMap may be', () => {
    const many = Array.from({ length: 20_000 }, (_, n) => ({ ...alice, user: `user${n}` }));
    expect(problemsOf(() => formatRevocations(many))).toEqual([
      expect.stringMatching(/^the list is larger than 1048576 bytes/),
    ]);
  });

  it('writes what is read as the same', () => {
    const line = fc.stringMatching(/^[\p{L}\p{M}\p{N}\p{P}\p{S} ]{0,120}$/u);
    const odd = fc.constantFrom(
      'yes',
      'null',
      '~',
      '1',
      '# x',
      '- x',
      ' x ',
      '{',
      '!x',
      '&a',
      '*a',
      '...',
      "'",
      '"',
      '\\n',
    );
    const text = fc.oneof(line, odd);
    const time = fc.integer({ min: 0, max: Date.UTC(9_999, 11, 31) });
    const terms = {
      revokedAt: time,
      until: fc.option(time, { nil: undefined }),
      reason: text,
    };
    const name = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?$/);
    const entry = fc.oneof(
      fc.record({
        user: fc.constantFrom('alice', 'null', 'true', '__proto__', 'no', 'y', '_1', 'host$'),
        ...terms,
      }),
      fc.record({ pod: fc.record({ namespace: name, name, uid: name }), ...terms, by: text }),
    );
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 5 }), (revocations) => {
        expect(parseRevocations(formatRevocations(revocations))).toEqual(revocations);
      }),
    );
  });
});
