import { expect, it } from '@jest/globals';

import { javaAddressText } from './java-address-text.ts';

// The right-hand sides were printed by SecurityUtil.buildTokenService of Hadoop 3.4.2 on OpenJDK 17, or follow from
// java.net.Inet6Address.getHostAddress.
it.each([
  ['127.0.0.1', '127.0.0.1'],
  ['::1', '0:0:0:0:0:0:0:1'],
  ['2001:db8::1', '2001:db8:0:0:0:0:0:1'],
  ['FE80::1', 'fe80:0:0:0:0:0:0:1'],
  ['::', '0:0:0:0:0:0:0:0'],
  ['2001:0db8:0000:0001::', '2001:db8:0:1:0:0:0:0'],
  ['1:2:3:4:5:6:7:8', '1:2:3:4:5:6:7:8'],
  ['64:ff9b::10.1.2.3', '64:ff9b:0:0:0:0:a01:203'],
  ['::ffff:10.0.0.1', '10.0.0.1'],
  ['::ffff:a00:1', '10.0.0.1'],
  ['::fffe:10.0.0.1', '0:0:0:0:0:fffe:a00:1'],
])('writes %s as Java does', (address, text) => {
  expect(javaAddressText(address)).toBe(text);
});

it.each(['', 'nn1', '10.0.0', '1::2::3', '[::1]', 'fe80::1%eth0', '10.0.0.1:8020'])(
  'refuses %p',
  (address) => {
    expect(javaAddressText(address)).toBeUndefined();
  },
);
