import { describe, expect, it } from '@jest/globals';
import { KeytabError, type KeytabEntry, type KeytabProblem } from '../../kerberos/keytab.ts';
import { checkKeytab, type KeytabOptions } from './check-keytab.ts';

const key = (principal: string, enctype = 18, kvno = 1): KeytabEntry => ({
  principal,
  enctype,
  kvno,
  writtenAt: 0,
});
const OURS = 'kerbridge@EXAMPLE.COM';

const check = (entries: readonly KeytabEntry[], change: Partial<KeytabOptions> = {}) =>
  checkKeytab({
    cluster: 'main',
    path: '/k',
    principal: undefined,
    source: {
      fingerprint: () => Promise.resolve('1'),
      read: () =>
        Promise.resolve({ entries, principals: [...new Set(entries.map(({ principal }) => principal))] }),
    },
    modeOf: () => Promise.resolve(0o400),
    ...change,
  });

const of = (id: string, { findings }: Awaited<ReturnType<typeof checkKeytab>>) =>
  findings.find((finding) => finding.id === `${id}:main`);

describe('checkKeytab', () => {
  it('finds nothing wrong with keys of ours', async () => {
    const result = await check([key(OURS), key(OURS, 17), key('HTTP/x@EXAMPLE.COM')]);
    expect(result.findings.map(({ id, outcome, detail }) => `${id} ${outcome}: ${detail}`)).toEqual([
      'keytab:main ok: 3 key(s) of 2 principal(s)',
      'keytab-permissions:main ok: mode 0400',
      'keytab-principal:main ok: kerbridge@EXAMPLE.COM, the first of the keytab; it also has HTTP/x@EXAMPLE.COM',
      'keytab-keys:main ok: version 1: aes256-cts-hmac-sha1-96, aes128-cts-hmac-sha1-96',
    ]);
    expect(result.principal).toBe(OURS);
  });

  it.each<KeytabProblem>([
    'missing',
    'unreadable',
    'not-a-file',
    'too-large',
    'bad-magic',
    'old-format',
    'damaged',
    'empty',
  ])('has a fix for a keytab that is %s', async (problem) => {
    const source = {
      fingerprint: () => Promise.resolve('1'),
      read: () => Promise.reject(new KeytabError(problem, 'no good')),
    };
    const { findings, principal } = await check([], { source });
    expect(findings).toMatchObject([
      { id: 'keytab:main', outcome: 'failed', detail: 'no good', fix: expect.stringMatching(/\w{3}/) },
    ]);
    expect(principal).toBeUndefined();
  });

  it('names what the keytab has where the configured principal is missing', async () => {
    const result = await check([key('a@R'), key('b@R')], { principal: OURS });
    expect(of('keytab-principal', result)).toMatchObject({
      outcome: 'failed',
      fix: 'Set principal of this cluster to one that the keytab has (a@R, b@R), or export kerbridge@EXAMPLE.COM into it (kadmin: ktadd)',
    });
    expect(of('keytab-keys', result)).toBeUndefined();
    expect(result.principal).toBeUndefined();
  });

  it('sees that only the realm differs', async () => {
    const result = await check([key('kerbridge@OTHER.COM')], { principal: OURS });
    expect(of('keytab-principal', result)?.fix).toMatch(
      /^The realm differs: set principal .* kerbridge@OTHER\.COM/,
    );
  });

  it('refuses what is no principal', async () => {
    const result = await check([key(OURS)], { principal: 'a@b@c' });
    expect(of('keytab-principal', result)).toMatchObject({
      outcome: 'failed',
      fix: expect.stringContaining(OURS),
    });
  });

  it('lists ten principals at most', async () => {
    const many = Array.from({ length: 12 }, (_, index) => key(`user${index}@R`));
    const result = await check(many, { principal: OURS });
    expect(of('keytab-principal', result)?.detail).toMatch(/user9@R and 2 more$/);
  });

  it.each([
    [0o600, 'ok'],
    [0o440, 'ok'],
    [0o444, 'warning'],
    [0o644, 'warning'],
    [0o604, 'warning'],
  ])('judges the mode %o as %s', async (mode, outcome) => {
    const result = await check([key(OURS)], { modeOf: () => Promise.resolve(mode) });
    expect(of('keytab-permissions', result)?.outcome).toBe(outcome);
  });

  it.each([
    ['only RC4', [key(OURS, 23)], 'warning', 'version 1: arcfour-hmac (RC4): nothing but weak encryption'],
    ['only DES', [key(OURS, 3), key(OURS, 1)], 'warning', 'nothing but weak encryption'],
    ['RC4 and AES', [key(OURS, 23), key(OURS, 18)], 'ok', 'arcfour-hmac (RC4), aes256'],
    [
      'AES of an old version only',
      [key(OURS, 18, 1), key(OURS, 23, 2)],
      'warning',
      'version 2 (and 1 older)',
    ],
    ['AES of somebody else only', [key(OURS, 23), key('a@R', 18)], 'warning', 'nothing but weak'],
    ['a type of tomorrow', [key(OURS, 99)], 'ok', 'encryption type 99'],
  ])('judges keys with %s', async (_, entries, outcome, detail) => {
    const finding = of('keytab-keys', await check(entries));
    expect(finding).toMatchObject({ outcome, detail: expect.stringContaining(detail) });
    expect(finding?.fix === undefined).toBe(outcome === 'ok');
  });
});
