import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { CommonFields, toPlainJson } from './plain-json.ts';
import { redactFields } from './redact.ts';
import { Secret } from './secret.ts';

const redactedJson = (fields: Record<string, unknown>) => JSON.stringify(redactFields(fields));

/** What is near the edge of what redaction looks for. */
const piece = fc.constantFrom(
  'eyJhbGciOi',
  'eyJ',
  'Bearer',
  'Negotiate',
  ' ',
  '=',
  's=',
  'hadoop.auth',
  '?token=',
  '-----BEGIN PRIVATE KEY-----',
  'abcdefghijklmnopqrst',
  'ABCDEFGHIJ0123456789',
  'a/b',
  '.',
  '$',
  '"',
  '\\',
  '\n',
  '\u00e4',
  '\u2028',
  '\ud800',
);
const text = fc.oneof(
  fc.string({ maxLength: 50 }),
  fc.array(piece, { maxLength: 5 }).map((all) => all.join('')),
  fc.uuid(),
);
const name = fc.oneof(
  fc.constantFrom('user', 'kinds', 'Token', 'set-cookie', 'BODY', 'password', 'detail', 'a b'),
  text,
);
const value = fc.letrec((tie) => ({
  any: fc.oneof(
    { depthSize: 'small' },
    text,
    fc.double(),
    fc.integer(),
    fc.boolean(),
    fc.constantFrom(undefined, null, 1n, new Date(0), Buffer.of(1), new Secret('x'), () => 1, new Error('x')),
    fc.array(tie('any'), { maxLength: 40 }),
    fc.dictionary(name, tie('any')),
  ),
}));

describe('toPlainJson', () => {
  it('is what redaction and JSON make of the same fields, or nothing', () => {
    let plain = 0;
    fc.assert(
      fc.property(fc.dictionary(name, value.any), (fields) => {
        const json = toPlainJson(fields);
        if (json === undefined) return;
        plain += 1;
        expect(json).toBe(redactedJson(fields));
      }),
      { numRuns: 3_000 },
    );
    expect(plain).toBeGreaterThan(100);
  });

  it.each<[string, Record<string, unknown>]>([
    ['a name that is redacted', { authorization: 'x' }],
    ['a name that is redacted, deeper', { a: { Set_Cookie: 'x' } }],
    ['a JWT', { a: 'eyJhbGciOi.a.b' }],
    ['a bearer token', { a: 'Bearer abcdefgh' }],
    ['a long mixed run', { a: 'Aa0Aa0Aa0Aa0Aa0Aa0Aa0Aa0Aa0Aa0Aa0Aa0Aa0A' }],
    ['a quote', { a: '"' }],
    ['a secret', { a: new Secret('x') }],
    ['bytes', { a: Buffer.of(1) }],
    ['an error', { a: new Error('x') }],
    ['an instance', { a: new Map() }],
    ['no number', { a: Number.NaN }],
    ['a list that is cut', { a: Array.from({ length: 101 }, () => 1) }],
    ['what is too deep', { a: { b: { c: { d: 1 } } } }],
    ['a long text', { a: 'a'.repeat(300) }],
  ])('leaves %s to a closer look', (_name, fields) => {
    expect(toPlainJson(fields)).toBeUndefined();
  });

  it('takes the fields of the usual line', () => {
    const fields = {
      status: 200,
      durationMs: 0.5,
      requestId: '0b6f5a0e-0000-4000-8000-000000000001',
      route: '/v1/credentials',
      detail: undefined,
      pod: { namespace: 'team-a', name: 'job-1' },
      kinds: ['HDFS_DELEGATION_TOKEN'],
      sequenceNumbers: [-7],
      missing: [],
    };
    expect(toPlainJson(fields)).toBe(redactedJson(fields));
  });
});

describe('CommonFields', () => {
  it('stand in the JSON of all fields as they would at its end', () => {
    fc.assert(
      // An object has names that are numbers first, wherever they were put; no field of ours is called so.
      fc.property(
        fc.dictionary(
          name.filter((each) => !/^\d+$/.test(each)),
          value.any,
        ),
        (fields) => {
          const { first: _other, ...others } = fields;
          const { json } = new CommonFields(others);
          const whole = toPlainJson({ first: 1, ...others });
          expect(json === undefined ? undefined : `{"first":1${json}}`).toBe(whole);
        },
      ),
      { numRuns: 1_000 },
    );
  });

  it('leave a secret to a closer look', () => {
    expect(new CommonFields({ user: 'alice', doAs: 'eyJhbGciOi.a.b' }).json).toBeUndefined();
  });
});
