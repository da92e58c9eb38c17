import { isIPv4, isIPv6 } from 'node:net';

export interface HostPort {
  /** Lower case, without the dot of a rooted name; an IPv6 address without brackets. */
  readonly host: string;
  /** 0 to 65535; 0 is legal in Hadoop for a port that the server chooses itself. */
  readonly port: number;
}

/** What `java.net.URI` takes for a host, so what Hadoop takes: no underscore, no empty label at the start. */
const HOST_NAME = /^[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?\.?$/i;

/**
 * Parses `host`, `host:port`, `[ipv6]:port` and the same behind `scheme://`, as Hadoop's `NetUtils.createSocketAddr`
 * does. Undefined if that would refuse it, which it does for a missing port without default.
 */
export function parseHostPort(text: string, defaultPort?: number): HostPort | undefined {
  const authority = /^(?:[a-z][a-z0-9+.-]*:\/\/([^/?#]*).*|([^/?#]*))$/i.exec(text.trim());
  const match = /^(\[[^[\]]*\]|[^:[\]]*)(?::([0-9]{0,5}))?$/.exec(authority?.[1] ?? authority?.[2] ?? '');
  const host = (match?.[1] ?? '').replace(/^\[(.*)\]$/, '$1').toLowerCase();
  const bracketed = match?.[1]?.startsWith('[') ?? false;
  if (bracketed ? !isIPv6(host) || host.includes('%') : !isHostName(host)) return undefined;
  const port = match?.[2] === undefined || match[2] === '' ? defaultPort : Number(match[2]);
  return port === undefined || port > 65_535 ? undefined : { host: withoutRootDot(host), port };
}

/** `nn.example.com.` is `nn.example.com` to DNS, but to neither Kerberos principals nor certificates. */
export function withoutRootDot(host: string): string {
  return host.endsWith('.') ? host.slice(0, -1) : host;
}

export function isHostName(text: string): boolean {
  // Digits and dots alone are an IPv4 address or a mistake.
  return /^[0-9.]+$/.test(text) ? isIPv4(text) : text.length <= 254 && HOST_NAME.test(text);
}

/** `host:port`, `[ipv6]:port`. */
export function formatHostPort({ host, port }: HostPort): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** A bind address that stands for all interfaces and so names no host. */
export function isWildcard(host: string): boolean {
  return host === '0.0.0.0' || (isIPv6(host) && /^[0:]+$/.test(host));
}
