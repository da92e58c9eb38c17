import { describe, expect, it } from '@jest/globals';
import { isLoopback, parseListenAddress } from './listen-address.ts';

describe('parseListenAddress', () => {
  it.each([
    ['8080', { port: 8080 }],
    [':8080', { port: 8080 }],
    ['0', { port: 0 }],
    ['127.0.0.1:8080', { address: '127.0.0.1', port: 8080 }],
    ['localhost:1', { address: 'localhost', port: 1 }],
    ['[::1]:65535', { address: '::1', port: 65_535 }],
  ])('reads %s', (text, expected) => {
    expect(parseListenAddress(text)).toEqual(expected);
  });

  it.each([
    '',
    ':',
    'localhost',
    '127.0.0.1',
    '127.0.0.1:',
    '::1:80',
    '[::1]',
    '[127.0.0.1]:80',
    '[]:80',
    '65536',
    '1.2.3:80',
    'example.com:80',
    'http://127.0.0.1:80',
    '127.0.0.1:80 ',
  ])('refuses %j', (text) => {
    expect(parseListenAddress(text)).toBeUndefined();
  });
});

describe('isLoopback', () => {
  it.each(['127.0.0.1', '127.1.2.3', '::1', 'localhost', '::ffff:127.0.0.1'])('says yes to %s', (address) => {
    expect(isLoopback(address)).toBe(true);
  });

  it.each(['0.0.0.0', '::', '10.0.0.1', '128.0.0.1', '::ffff:10.0.0.1', '127.evil.example', '::2'])(
    'says no to %s',
    (address) => {
      expect(isLoopback(address)).toBe(false);
    },
  );
});
