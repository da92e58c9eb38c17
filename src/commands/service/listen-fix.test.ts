import { describe, expect, it } from '@jest/globals';
import { listenFix } from './listen-fix.ts';

describe('listenFix', () => {
  it.each([
    ['EADDRINUSE', 'another process listens there: end it or choose another port'],
    ['EACCES', 'ports below 1024 need a privilege: choose a higher one'],
    ['EADDRNOTAVAIL', 'no interface of this machine has that address'],
    ['EOTHER', 'choose another address or port'],
    ['constructor', 'choose another address or port'],
  ])('for %s', (code, fix) => {
    expect(listenFix(Object.assign(new Error('x'), { code }))).toBe(fix);
  });

  it('for what is no error', () => {
    expect(listenFix(undefined)).toBe('choose another address or port');
  });
});
