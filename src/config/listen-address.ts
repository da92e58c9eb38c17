import { BlockList, isIP, SocketAddress } from 'node:net';

export interface ListenAddress {
  readonly address: string;
  readonly port: number;
}

export const MAX_PORT = 65_535;

const MAPPED_IPV4 = new BlockList();
MAPPED_IPV4.addSubnet('::ffff:0:0', 96, 'ipv6');

/** `8080`, `:8080`, `127.0.0.1:8080`, `[::1]:8080`, `localhost:8080`; without an address only the port is set. */
export function parseListenAddress(text: string): Partial<ListenAddress> | undefined {
  const match = /^(?:(?:\[([0-9A-Fa-f:.]+)\]|([^:[\]]*)):)?([0-9]{1,5})$/.exec(text);
  if (match === null) return undefined;
  const [, ipv6, host, digits] = match;
  const port = Number(digits);
  if (port > MAX_PORT) return undefined;
  const address = ipv6 ?? host ?? '';
  if (ipv6 !== undefined && isIP(ipv6) !== 6) return undefined;
  if (address === '') return { port };
  return isListenable(address) ? { address, port } : undefined;
}

/** An IP address, or `localhost`: a name that resolves to somewhere else tomorrow is no place to listen. */
export function isListenable(address: string): boolean {
  return isIP(address) !== 0 || address === 'localhost';
}

/** Reachable only from this machine (or this pod). IPv4 within IPv6 counts as what it holds. */
export function isLoopback(address: string): boolean {
  const bare = address.toLowerCase().replace(/^::ffff:(?=\d+\.)/, '');
  return bare === 'localhost' || bare === '::1' || (isIP(bare) === 4 && bare.startsWith('127.'));
}

/** Every address of this machine, however it is written. */
export function isUnspecified(address: string): boolean {
  if (isIP(address) !== 6 || address.includes('%')) return address === '0.0.0.0';
  const canonical = new SocketAddress({ address, family: 'ipv6' }).address;
  return canonical === '::' || canonical === '::ffff:0.0.0.0';
}

/**
 * An IP address, or a range in CIDR notation with a prefix length that its family has. IPv4 only in dotted form: an
 * address is compared as such, also when it came mapped into IPv6, so a range of mapped ones would hold none.
 */
export function isAddressRange(text: string): boolean {
  const [network = '', prefix, ...more] = text.split('/');
  const family = isIP(network);
  if (family === 0 || network.includes('%') || more.length > 0) return false;
  if (family === 6 && MAPPED_IPV4.check(network, 'ipv6')) return false;
  return (
    prefix === undefined ||
    (/^(?:0|[1-9]\d{0,2})$/.test(prefix) && Number(prefix) <= (family === 4 ? 32 : 128))
  );
}
