import { describe, expect, it } from '@jest/globals';

import { formatHostPort, isWildcard, parseHostPort } from './host-port.ts';

describe('parseHostPort', () => {
  it.each([
    ['nn1.example.com:8020', 'nn1.example.com', 8020],
    ['NN1.Example.COM:8020', 'nn1.example.com', 8020],
    [' nn1:1 ', 'nn1', 1],
    ['nn1.example.com.:8020', 'nn1.example.com', 8020],
    ['10.0.0.1:65535', '10.0.0.1', 65_535],
    ['nn1:0', 'nn1', 0],
    ['[2001:DB8::1]:8020', '2001:db8::1', 8020],
    ['http://nn1:9870/path', 'nn1', 9870],
  ])('reads %s', (text, host, port) => {
    expect(parseHostPort(text)).toEqual({ host, port });
  });

  it.each([
    ['nn1', 'nn1'],
    ['nn1:', 'nn1'],
    ['[::1]', '::1'],
    ['hdfs://nn1', 'nn1'],
  ])('takes the default port for %s', (text, host) => {
    expect(parseHostPort(text, 8020)).toEqual({ host, port: 8020 });
    expect(parseHostPort(text)).toBeUndefined();
  });

  it.each([
    '',
    ':9870',
    '*:9870',
    'nn_1:8020',
    'nn1:65536',
    'nn1:-1',
    'nn1:80x',
    'nn1:123456',
    'nn1/:8020',
    'nn1:8020/path',
    'nn1 nn2:8020',
    'user@nn1:8020',
    '::1:8020',
    '2001:db8::1',
    '[nn1]:8020',
    '[::1:8020',
    '[fe80::1%eth0]:8020',
    '[::1]x:8020',
    '10.0.0.256:8020',
    '10.0.0:8020',
    '-nn1:8020',
    '${host}:8020',
    'nn1:8020\nx',
    `${'n'.repeat(255)}:8020`,
  ])('refuses %p', (text) => {
    expect(parseHostPort(text, 8020)).toBeUndefined();
  });
});

it.each([
  [{ host: 'nn1', port: 8020 }, 'nn1:8020'],
  [{ host: '2001:db8::1', port: 8020 }, '[2001:db8::1]:8020'],
])('formatHostPort %p', (hostPort, text) => {
  expect(formatHostPort(hostPort)).toBe(text);
});

it.each([
  ['0.0.0.0', true],
  ['::', true],
  ['0:0:0:0:0:0:0:0', true],
  ['::1', false],
  ['127.0.0.1', false],
  ['0', false],
])('isWildcard(%s) is %s', (host, expected) => {
  expect(isWildcard(host)).toBe(expected);
});
