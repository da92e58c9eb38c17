import { isIPv4, isIPv6, SocketAddress } from 'node:net';

const MAPPED_IPV4 = '::ffff:';

/**
 * One text for one address: IPv4 in dotted form, also when it came mapped into IPv6 (`::ffff:10.0.0.7`, as a dual-stack
 * socket shows an IPv4 peer); IPv6 lower case and compressed as RFC 5952 has it. Undefined for anything else: IPv4 with
 * leading zeros, which some read as octal, and IPv6 with a zone, which means another interface on every host.
 */
export function normaliseIpAddress(text: string): string | undefined {
  if (isIPv4(text)) return text;
  if (!isIPv6(text) || text.includes('%')) return undefined;
  const { address } = new SocketAddress({ address: text, family: 'ipv6' });
  const mapped = address.startsWith(MAPPED_IPV4) ? address.slice(MAPPED_IPV4.length) : '';
  return isIPv4(mapped) ? mapped : address;
}
