import { describe, expect, it } from '@jest/globals';
import { everythingIn } from '../../test/fakes/everything-in.ts';
import { recordedToken, revealed } from '../../test/fakes/recorded-token.ts';
import { compactToken } from './compact-token.ts';

const ID = { namespace: 'science', owner: 'alice' };

describe('compactToken', () => {
  it.each([
    ['as it was issued', {}],
    ['retired', { retiredAt: 5 }],
    ['tombstoned', { retiredAt: 5, tombstonedAt: 6 }],
    ['of one pod', { scope: { type: 'pod', namespace: 'science', podUid: 'uid-1' } as const }],
    ['of all namespaces', { scope: { type: 'user' } as const }],
  ])('says the same of a token %s', (_what, change) => {
    const recorded = recordedToken(ID, change);
    const compact = compactToken(recorded);
    const record = (tokens: (typeof recorded)[]) => revealed({ ...ID, tokens, claims: [] });
    expect(record([compact])).toEqual(record([recorded]));
    expect(Object.keys(compact).toSorted()).toEqual(Object.keys(recorded).toSorted());
  });

  it.each([0n, 1n, -1n, 2n ** 53n - 1n, 2n ** 53n + 1n, -(2n ** 63n), 2n ** 63n - 1n])(
    'has the dates as they were: %s',
    (date) => {
      const recorded = recordedToken(ID);
      const token = { ...recorded.token, issueDate: date, maxDate: date };
      const compact = compactToken({ ...recorded, token }).token;
      expect([compact.issueDate, compact.maxDate]).toEqual([date, date]);
    },
  );

  it('has one scope for all tokens of a namespace, which nobody can change', () => {
    const scopeOf = (namespace: string) => compactToken(recordedToken({ ...ID, namespace })).scope;
    expect(scopeOf('science')).toBe(scopeOf('science'));
    expect(scopeOf('physics')).toEqual({ type: 'namespace', namespace: 'physics' });
    expect(Object.isFrozen(scopeOf('science'))).toBe(true);
  });

  it('has bytes that nobody can change', () => {
    const { token } = compactToken(recordedToken(ID));
    const [identifier, password] = [token.identifier, token.password.reveal()];
    expect([identifier.byteLength, password.byteLength]).toEqual([
      identifier.buffer.byteLength,
      password.buffer.byteLength,
    ]);
    const before = [Uint8Array.from(identifier), Uint8Array.from(password)];
    identifier.fill(0);
    password.fill(0);
    expect([token.identifier, token.password.reveal()]).toEqual(before);
  });

  it('shows neither of its bytes', () => {
    const { token } = compactToken(recordedToken(ID));
    const shown = everythingIn(token);
    for (const bytes of [token.identifier, token.password.reveal()]) {
      for (const encoding of ['latin1', 'hex', 'base64'] as const) {
        expect(shown).not.toContain(Buffer.from(bytes).toString(encoding));
      }
    }
  });
});
