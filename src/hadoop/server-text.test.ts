import { describe, expect, it } from '@jest/globals';

import { safeServerText } from './server-text.ts';

const TOKEN =
  'JAAFYWxpY2UJa2VyYnJpZGdlAIoBogSLfGuKAaIomABrji3-AhQoMGpYrPb2B5jnvdPA-IH1cKzXFRVIREZTX0RFTEVHQVRJT05fVE9LRU4MaGEtaGRmczpwcm9k';

describe('safeServerText', () => {
  it.each([
    ['User: svc is not allowed to impersonate mallory', 'User: svc is not allowed to impersonate mallory'],
    [
      'org.apache.hadoop.security.authentication.util.SignerException: Invalid signature',
      'org.apache.hadoop.security.authentication.util.SignerException: Invalid signature',
    ],
    ['Visit https://s.apache.org/sbnn-error', 'Visit https://s.apache.org/sbnn-error'],
    ['', ''],
  ])('keeps %j', (text, expected) => {
    expect(safeServerText(text)).toBe(expected);
  });

  it.each([
    ['a token alone', TOKEN],
    ['a token in a query', `/webhdfs/v1/?op=RENEWDELEGATIONTOKEN&token=${TOKEN}&x=1`],
    ['a short token in a query', 'Invalid value for token=abcDEF123 given'],
    ['a delegation parameter', 'bad delegation=abcDEF123'],
    ['a token across the cut', `${'x '.repeat(180)}${TOKEN}`],
    ['a cookie', 'hadoop.auth="u=svc&p=svc@R&t=kerberos&e=1&s=abcDEF123="'],
    ['a cookie value', 'bad cookie u=svc&p=svc@R&t=kerberos&e=1&s=abcDEF123='],
    ['a Negotiate header', 'header Negotiate YIIabcDEF123=='],
  ])('redacts %s', (_, text) => {
    const safe = safeServerText(text);
    expect(safe).toContain('[redacted]');
    expect(safe).not.toMatch(/abcDEF123|JAAFYW/u);
  });

  it('keeps the other parameters of a query', () => {
    expect(safeServerText('op=X&token=abc&y=2')).toBe('op=X&token=[redacted]&y=2');
  });

  it.each([
    ['line breaks', 'a\r\nlevel=error forged', 'a level=error forged'],
    ['escape sequences', 'a\u001B[31mred', 'a [31mred'],
    ['separators', 'a\u2028b', 'a b'],
    ['direction overrides', 'a\u202Eb', 'a b'],
    ['lone surrogates', 'a\uD800b', 'a b'],
  ])('takes out %s', (_, text, expected) => {
    expect(safeServerText(text)).toBe(expected);
  });

  it('cuts long text', () => {
    const safe = safeServerText('word '.repeat(1000));
    expect(safe).toHaveLength(400);
    expect(safe.endsWith('…')).toBe(true);
  });
});
