import { describe, expect, it } from '@jest/globals';
import { SpnegoError } from '../hadoop/spnego.ts';
import { httpServiceName } from './service-host.ts';

describe('httpServiceName', () => {
  it.each([
    ['nn1.example.com', 'HTTP@nn1.example.com'],
    ['NN1.Example.COM', 'HTTP@nn1.example.com'],
    ['localhost', 'HTTP@localhost'],
    ['name_node-1', 'HTTP@name_node-1'],
    ['10.0.0.7', 'HTTP@10.0.0.7'],
    ['2001:DB8::7', 'HTTP@2001:db8::7'],
  ])('of %s is %s', (host, expected) => {
    expect(httpServiceName(host)).toBe(expected);
  });

  it.each([
    '',
    '.',
    'nn1.',
    '.nn1',
    'a..b',
    'nn1:9870',
    'https://nn1',
    'nn1/REALM',
    'nn1@REALM',
    'HTTP/nn1@REALM',
    'nn 1',
    ' nn1',
    'nn1\n',
    'nn1\t',
    'nn1\0',
    'nn1\0.evil',
    '-nn1',
    '--option',
    'nn1-',
    'nn1\\',
    'nn*',
    '[2001:db8::7]',
    'fe80::1%eth0',
    'ñn1.example.com',
    // Lower-cases to an ASCII 'k'.
    'KELVIN\u212a',
    `${'a'.repeat(64)}.example.com`,
    Array.from({ length: 64 }, () => 'abc').join('.'),
  ])('refuses %j', (host) => {
    expect(() => httpServiceName(host)).toThrow(SpnegoError);
    expect(() => httpServiceName(host)).toThrow('is no host name');
  });
});
