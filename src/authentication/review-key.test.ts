import { describe, expect, it } from '@jest/globals';

import { Secret } from '../observability/secret.ts';
import { createReviewKey } from './review-key.ts';

const TOKEN = 'eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl';

describe('a review key', () => {
  it('shows nothing of the token', () => {
    const key = createReviewKey()('kerbridge', new Secret(TOKEN));
    expect(key).toMatch(/^[A-Za-z0-9+/]{43}=$/u);
    for (let at = 0; at + 8 <= TOKEN.length; at += 1) expect(key).not.toContain(TOKEN.slice(at, at + 8));
  });

  it.each([
    ['another token', 'kerbridge', `${TOKEN}x`],
    ['another audience', 'kerbridge-admin', TOKEN],
    ['a part moved from the audience to the token', 'kerbridg', `e${TOKEN}`],
    ['a part moved from the token to the audience', 'kerbridgee', TOKEN.slice(1)],
    ['a length in the audience', '9:kerbridge', TOKEN],
  ])('differs for %s', (_, audience, token) => {
    const keyOf = createReviewKey();
    expect(keyOf(audience, new Secret(token))).not.toBe(keyOf('kerbridge', new Secret(TOKEN)));
  });

  it('is the same each time', () => {
    const keyOf = createReviewKey();
    expect(keyOf('kerbridge', new Secret(TOKEN))).toBe(keyOf('kerbridge', new Secret(TOKEN)));
  });

  it('can be told by nobody else', () => {
    const [one, other] = [createReviewKey(), createReviewKey()];
    expect(one('kerbridge', new Secret(TOKEN))).not.toBe(other('kerbridge', new Secret(TOKEN)));
  });
});
