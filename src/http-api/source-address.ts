import { BlockList, isIP } from 'node:net';
import { normaliseIpAddress } from '../authentication/ip-address.ts';

/** More proxies than anybody has in a row. */
const MAX_HOPS = 32;

/** What is looked at of a request of `node:http`. */
export interface RequestWithAddress {
  readonly socket: { readonly remoteAddress?: string | undefined };
  readonly headersDistinct: NodeJS.Dict<string[]>;
}

/** IPv4 in dotted form, IPv6 lower case and compressed; undefined if it can't be told. */
export type SourceAddress = (request: RequestWithAddress) => string | undefined;

export interface SourceAddressOptions {
  /** IP addresses and CIDR ranges, as the configuration has checked them. */
  readonly trustedProxies: readonly string[];
}

/**
 * Where a request comes from: the other end of the connection or, if that is a trusted proxy, whoever the proxies say.
 *
 * Each proxy appends the address of its own client to `X-Forwarded-For`, so the header is read from its end: the first
 * address that is no trusted proxy is the caller, and whatever it wrote before that is not looked at. From anybody else
 * the header is ignored, not refused: it neither lets in nor locks out. If all are trusted proxies, it is the first.
 *
 * Addresses only, without ports or brackets. `Forwarded` (RFC 7239) is not read: two headers that could contradict each
 * other would be one too many.
 */
export function createSourceAddress({ trustedProxies }: SourceAddressOptions): SourceAddress {
  const isTrusted = createAddressMatch(trustedProxies);

  return (request) => {
    const peer = normaliseIpAddress(request.socket.remoteAddress ?? '');
    // check: source-address-peer-unknown
    if (peer === undefined) return undefined;
    // check: source-address-peer-untrusted
    if (!isTrusted(peer)) return peer;
    // Node makes it when it is asked for, which is work.
    const hops = (request.headersDistinct['x-forwarded-for'] ?? []).flatMap((line) => line.split(','));
    // check: forwarded-for-too-long
    if (hops.length > MAX_HOPS) return undefined;
    let caller = peer;
    for (const hop of hops.toReversed()) {
      const address = normaliseIpAddress(hop.trim());
      // check: forwarded-for-malformed
      if (address === undefined) return undefined;
      caller = address;
      if (!isTrusted(caller)) break;
    }
    return caller;
  };
}

/** Says of an address, as `normaliseIpAddress` gives it, if one of these addresses and CIDR ranges has it. */
export function createAddressMatch(ranges: readonly string[]): (address: string) => boolean {
  if (ranges.length === 0) return () => false;
  // One list a family: a single one would compare IPv4 with ranges of IPv6, of which ::/8 holds all that is mapped.
  const lists = { ipv4: new BlockList(), ipv6: new BlockList() };
  for (const range of ranges) {
    const [network = '', prefix] = range.split('/');
    const family = familyOf(network);
    if (prefix === undefined) lists[family].addAddress(network, family);
    else lists[family].addSubnet(network, Number(prefix), family);
  }
  return (address) => lists[familyOf(address)].check(address, familyOf(address));
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIP(address) === 4 ? 'ipv4' : 'ipv6';
}
