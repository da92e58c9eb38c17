import { describe, expect, it } from '@jest/globals';

import { Secret } from '../../observability/secret.ts';
import { cookieHeader, readHadoopAuthCookie } from './hadoop-auth-cookie.ts';

const VALUE = '"u=svc&p=svc@R&t=kerberos&e=1795372579963&s=ab/c+d="';
const read = (...lines: string[]) => readHadoopAuthCookie(new Secret(lines));

describe('readHadoopAuthCookie', () => {
  it('keeps the value verbatim, quotes included, and reads its expiry', () => {
    const result = read(`hadoop.auth=${VALUE}; Path=/; HttpOnly`);
    if (result?.change !== 'set') throw new Error('not set');
    expect(result.cookie.value.reveal()).toBe(VALUE);
    expect(result.cookie.expiresAt).toBe(1_795_372_579_963);
    expect(cookieHeader(result.cookie).reveal()).toBe(`hadoop.auth=${VALUE}`);
  });

  it.each([
    ['without quotes', 'hadoop.auth=u=svc&e=17&s=x', 17],
    ['first in the value', 'hadoop.auth="e=18&s=x"', 18],
    ['without an expiry', 'hadoop.auth="u=svc&s=x"', undefined],
    ['with e= inside another field', 'hadoop.auth="u=me=5&s=x"', undefined],
    ['with an expiry that is no number', 'hadoop.auth="u=svc&e=soon&s=x"', undefined],
  ])('takes a cookie %s', (_, line, expiresAt) => {
    expect(read(line)).toMatchObject({ change: 'set', cookie: { expiresAt } });
  });

  it.each([
    ['empty', 'hadoop.auth=; Path=/; HttpOnly'],
    ['empty in quotes', 'hadoop.auth=""; Path=/'],
    ['bare', 'hadoop.auth='],
    ['with a character that no header may carry', 'hadoop.auth="u=a\u0001b"'],
    ['with a space', 'hadoop.auth="u=a b"'],
  ])('treats %s as cleared', (_, line) => {
    expect(read(line)).toEqual({ change: 'cleared' });
  });

  it.each([[[]], [['other=1']], [['xhadoop.auth=1']], [['hadoop.authx=1']]])(
    'sees nothing in %j',
    (lines) => {
      expect(read(...lines)).toBeUndefined();
    },
  );

  it('believes the last line', () => {
    expect(read('hadoop.auth="e=1&s=x"', 'hadoop.auth=')).toEqual({ change: 'cleared' });
  });

  it('shows no cookie when it is printed', () => {
    expect(JSON.stringify(read(`hadoop.auth=${VALUE}`))).not.toContain('u=svc');
  });
});
