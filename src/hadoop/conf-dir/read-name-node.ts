import { DEFAULT_HTTPS_PORT, DEFAULT_HTTP_PORT } from './defaults-and-deprecations.ts';
import type { HadoopProperties } from './hadoop-properties.ts';
import { isHostName, isWildcard, parseHostPort, withoutRootDot, type HostPort } from './host-port.ts';
import type { NameNode } from './nameservice.ts';

const RPC_ADDRESS = 'dfs.namenode.rpc-address';
const SPNEGO_PRINCIPALS = [
  'dfs.web.authentication.kerberos.principal',
  'dfs.namenode.kerberos.internal.spnego.principal',
];

export interface NameNodeKey {
  readonly nameservice?: string;
  /** Only with HA. */
  readonly nameNode?: string;
}

/** `key.<nameservice>.<nameNode>`, as far as there are such. */
export function suffixed(key: string, { nameservice, nameNode }: NameNodeKey): string {
  return [key, nameservice, nameNode].filter((part) => part !== undefined).join('.');
}

/**
 * The RPC address of a NameNode by its own key, as clients look it up; undefined if that is not set. Throws
 * HadoopConfigurationError if it is no address of a host.
 */
export function readRpcAddress(properties: HadoopProperties, key: NameNodeKey): HostPort | undefined {
  const property = suffixed(RPC_ADDRESS, key);
  const address = readAddress(properties, property);
  if (address !== undefined && isWildcard(address.host)) {
    throw properties.error(property, 'is a wildcard address; name the host that clients connect to');
  }
  return address;
}

/**
 * Derives all addresses of one NameNode. Web addresses may be set for the NameNode, its nameservice or all; what is
 * missing or a wildcard (the default is 0.0.0.0:9870) is on the host of the RPC address. Throws
 * HadoopConfigurationError.
 */
export function readNameNode(
  properties: HadoopProperties,
  id: string,
  key: NameNodeKey,
  rpc: HostPort,
): NameNode {
  const http = readWebAddress(properties, 'dfs.namenode.http-address', key, rpc, DEFAULT_HTTP_PORT);
  const https = readWebAddress(properties, 'dfs.namenode.https-address', key, rpc, DEFAULT_HTTPS_PORT);
  return Object.freeze({
    id,
    rpcHost: rpc.host,
    rpcPort: rpc.port,
    httpHost: http.host,
    httpPort: http.port,
    httpsHost: https.host,
    httpsPort: https.port,
    spnHost: readSpnHost(properties, key, http.host),
  });
}

/** The keys under which a NameNode with this key finds its setting, the most specific first. */
function keysFor(base: string, key: NameNodeKey): readonly string[] {
  const { nameservice } = key;
  const ofNameservice = nameservice === undefined ? base : suffixed(base, { nameservice });
  return [...new Set([suffixed(base, key), ofNameservice, base])];
}

function readWebAddress(
  properties: HadoopProperties,
  base: string,
  key: NameNodeKey,
  rpc: HostPort,
  defaultPort: number,
): HostPort {
  for (const property of keysFor(base, key)) {
    const address = readAddress(properties, property);
    if (address === undefined) continue;
    if (isWildcard(address.host)) return { host: rpc.host, port: address.port };
    // One address of one host can't hold for several NameNodes.
    if (property === base && key.nameNode !== undefined) continue;
    return address;
  }
  return { host: rpc.host, port: defaultPort };
}

/** Hadoop has no default port for addresses, only for URIs. */
function readAddress(properties: HadoopProperties, property: string): HostPort | undefined {
  const text = properties.getTrimmed(property);
  if (text === undefined) return undefined;
  const address = parseHostPort(text);
  if (address === undefined) {
    const message = `"${text}" is no address; write host:port, or [address]:port for IPv6 (the port is needed, a host has no underscore)`;
    throw properties.error(property, message);
  }
  return address;
}

/**
 * The host part of the principal that the web server accepts tickets for: `_HOST` stands for the host of its HTTP
 * address (also when it serves only HTTPS), `*` for every HTTP principal in its keytab.
 */
function readSpnHost(properties: HadoopProperties, key: NameNodeKey, httpHost: string): string {
  for (const property of SPNEGO_PRINCIPALS.flatMap((base) => keysFor(base, key))) {
    const principal = properties.getTrimmed(property);
    // A reference that resolved to nothing: hdfs-default.xml defines the second key through the first.
    if (principal === undefined || principal.includes('${')) continue;
    if (principal === '*') return httpHost;
    const host = /^HTTP\/([^/@]+)(?:@[^/@]+)?$/.exec(principal)?.[1];
    if (host === '_HOST') return httpHost;
    if (host === undefined || !isHostName(host)) {
      throw properties.error(property, 'must have the form HTTP/_HOST@REALM or HTTP/host@REALM');
    }
    return withoutRootDot(host.toLowerCase());
  }
  return httpHost;
}
