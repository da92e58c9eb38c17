import { describe, expect, it } from '@jest/globals';
import { normaliseIpAddress } from './ip-address.ts';

describe('normaliseIpAddress', () => {
  it.each([
    [''],
    [' 10.0.0.7'],
    ['10.0.0.7 '],
    ['10.0.0'],
    ['10.0.0.256'],
    ['010.0.0.7'],
    ['0x0a.0.0.7'],
    ['167772167'],
    ['10.0.0.7:443'],
    ['10.0.0.7/32'],
    ['[::1]'],
    ['::1%lo'],
    ['fe80::1%eth0'],
    ['::ffff:10.0.0.7%eth0'],
    ['::ffff:010.0.0.7'],
    ['1::2::3'],
    ['localhost'],
    ['１０.0.0.7'],
  ])('does not take %j for an address', (text) => {
    expect(normaliseIpAddress(text)).toBeUndefined();
  });

  it.each([
    ['10.0.0.7', '10.0.0.7'],
    ['0.0.0.0', '0.0.0.0'],
    ['::ffff:10.0.0.7', '10.0.0.7'],
    ['::FFFF:10.0.0.7', '10.0.0.7'],
    ['::ffff:a00:7', '10.0.0.7'],
    ['0:0:0:0:0:ffff:0a00:0007', '10.0.0.7'],
    ['2001:DB8::A', '2001:db8::a'],
    ['2001:0db8:0000:0000:0000:0000:0000:000a', '2001:db8::a'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['0:0:0:0:0:0:0:1', '::1'],
    ['::', '::'],
    // Not IPv4 mapped: other prefixes stay what they are.
    ['64:ff9b::10.0.0.7', '64:ff9b::a00:7'],
    ['::ffff:0:10.0.0.7', '::ffff:0:a00:7'],
    ['::fffe:10.0.0.7', '::fffe:a00:7'],
  ])('writes %s as %s', (text, expected) => {
    expect(normaliseIpAddress(text)).toBe(expected);
  });

  it('changes nothing the second time', () => {
    for (const text of ['::ffff:a00:7', '2001:0DB8::1', '::10.0.0.7', '::ffff:0:10.0.0.7']) {
      const once = normaliseIpAddress(text) ?? '';
      expect(normaliseIpAddress(once)).toBe(once);
    }
  });
});
