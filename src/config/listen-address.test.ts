import { describe, expect, it } from '@jest/globals';
import { isAddressRange, isLoopback, isUnspecified, parseListenAddress } from './listen-address.ts';

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

describe('isUnspecified', () => {
  it.each(['0.0.0.0', '::', '0:0:0:0:0:0:0:0', '::0.0.0.0', '::ffff:0.0.0.0', '::FFFF:0:0'])(
    'says yes to %s',
    (address) => {
      expect(isUnspecified(address)).toBe(true);
    },
  );

  it.each(['127.0.0.1', '::1', 'localhost', '10.0.0.0', 'fe80::', '::ffff:10.0.0.1', '::1%lo', ''])(
    'says no to %j',
    (address) => {
      expect(isUnspecified(address)).toBe(false);
    },
  );
});

describe('isAddressRange', () => {
  it.each([
    '',
    '10.0.0.0/33',
    '10.0.0.0/08',
    '10.0.0.0/-1',
    '10.0.0.0/',
    '10.0.0.0/8/8',
    '10.0.0.0/8 ',
    '10.0.0.0-10.0.0.9',
    '10.0.0.0/255.0.0.0',
    '10.0.0',
    '/8',
    'fd00::/129',
    'fe80::1%eth0',
    '::ffff:10.0.0.0/104',
    '::ffff:a00:0',
    'localhost',
  ])('says no to %j', (text) => {
    expect(isAddressRange(text)).toBe(false);
  });

  it.each(['10.0.0.7', '10.0.0.0/8', '10.0.0.7/32', '0.0.0.0/0', 'fd00::/8', '::1', '2001:db8::7/128'])(
    'says yes to %s',
    (text) => {
      expect(isAddressRange(text)).toBe(true);
    },
  );
});
