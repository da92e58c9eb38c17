import { isIPv4, isIPv6 } from 'node:net';

import { errorCode } from '../../observability/error-code.ts';
import type { Clock } from '../../time/clock.ts';
import { HadoopConfigurationError } from './hadoop-configuration-error.ts';
import { formatHostPort, type HostPort } from './host-port.ts';
import { javaAddressText } from './java-address-text.ts';
import type { Nameservice } from './nameservice.ts';

export type HdfsTokenKind = 'HDFS_DELEGATION_TOKEN' | 'WEBHDFS delegation' | 'SWEBHDFS delegation';

/**
 * All addresses of a host name, IPv4 and IPv6, as the pods see them. May reject; of the error only its `code` is looked
 * at, which tells a name that does not exist (`ENOTFOUND`) from a DNS that does not answer now (`EAI_AGAIN`).
 */
export type LookupAddresses = (host: string) => Promise<readonly string[]>;

export interface TokenServiceNamesOptions {
  readonly kind: HdfsTokenKind;
  /** `hadoop.security.token.service.use_ip` of the cluster. */
  readonly useIp: boolean;
  /**
   * `both` (default) makes labels for either setting of use_ip, so that a pod with another configuration finds the
   * token too: a copy costs some 110 bytes. `configured` makes those for `useIp` only.
   */
  readonly forms?: 'both' | 'configured';
  readonly lookup: LookupAddresses;
  /** To wait for a DNS that does not answer now; without one it is asked again at once. */
  readonly clock?: Pick<Clock, 'sleep'>;
  /** Labels from our own configuration, to be used instead of all that is derived. */
  readonly override?: readonly string[];
}

/**
 * The `service` labels under which Hadoop clients look for the delegation token of a nameservice, each once, those of
 * the configured form first (Hadoop: `SecurityUtil.buildTokenService`, `HAUtilClient.buildTokenServiceForLogicalUri`).
 *
 * - A logical URI: `ha-hdfs:<nameservice>`, `ha-webhdfs:`, `ha-swebhdfs:`; for hdfs:// also those of each NameNode as
 *   below, for jobs that name one of them (hdfs://nn1:8020) in spite of HA.
 * - use_ip=true: `ip:port` for every address of the host. IPv6 (eight groups, no brackets) only for hosts that have no
 *   IPv4 address, because Java prefers IPv4.
 * - use_ip=false: `host:port` in lower case. Hadoop completes a host without a dot by the client's search domains,
 *   which can't be known here: write the full name into the configuration, or use `override`.
 *
 * The port is that of the client's URI: RPC, HTTP or HTTPS. Rejects with HadoopConfigurationError if a host has no
 * address and useIp is true; with useIp false, or where there is a logical URI, the labels by address are left out.
 */
export async function tokenServiceNames(
  nameservice: Nameservice,
  options: TokenServiceNamesOptions,
): Promise<readonly string[]> {
  if (options.override !== undefined) return checkOverride(nameservice, options.override);
  const names = new Set<string>();
  if (nameservice.logicalUri) names.add(`ha-${SCHEMES[options.kind]}:${nameservice.name}`);
  const authorities = clientAuthorities(nameservice, options.kind);
  const both = options.forms !== 'configured';
  for (const byIp of both ? [options.useIp, !options.useIp] : [options.useIp]) {
    for (const authority of authorities) {
      const found = byIp ? await addressNames(nameservice, authority, options) : [formatHostPort(authority)];
      for (const name of found) names.add(name);
    }
  }
  return Object.freeze([...names]);
}

const SCHEMES = {
  HDFS_DELEGATION_TOKEN: 'hdfs',
  'WEBHDFS delegation': 'webhdfs',
  'SWEBHDFS delegation': 'swebhdfs',
} as const satisfies Record<HdfsTokenKind, string>;

/** The `host:port` that clients of this kind write in URIs. */
function clientAuthorities(nameservice: Nameservice, kind: HdfsTokenKind): readonly HostPort[] {
  if (kind === 'HDFS_DELEGATION_TOKEN') {
    const { authorities, logicalUri, nameNodes } = nameservice;
    if (!logicalUri) return authorities;
    return [...authorities, ...nameNodes.map(({ rpcHost, rpcPort }) => ({ host: rpcHost, port: rpcPort }))];
  }
  if (nameservice.logicalUri) return [];
  return nameservice.nameNodes.map((nameNode) =>
    kind === 'WEBHDFS delegation'
      ? { host: nameNode.httpHost, port: nameNode.httpPort }
      : { host: nameNode.httpsHost, port: nameNode.httpsPort },
  );
}

async function addressNames(
  nameservice: Nameservice,
  { host, port }: HostPort,
  options: TokenServiceNamesOptions,
): Promise<readonly string[]> {
  const isAddress = isIPv4(host) || isIPv6(host);
  const { found, code } = isAddress ? { found: [host] } : await lookUp(host, options);
  const addresses = found.flatMap((address) => javaAddressText(address) ?? []);
  const v4 = addresses.filter((address) => isIPv4(address));
  const used = (v4.length > 0 ? v4 : addresses).toSorted();
  if (used.length === 0 && options.useIp && !nameservice.logicalUri) {
    const why = code === undefined ? '' : ` (${code})`;
    const what =
      code === TEMPORARY
        ? `DNS does not answer for ${host} of nameservice ${nameservice.name}${why}, asked ${LOOKUP_PAUSES_MS.length + 1} times, ` +
          'but clients look for tokens by address; see that DNS works in this pod'
        : `${host} of nameservice ${nameservice.name} has no IP address${why}, but clients look for tokens by address; fix its DNS entry`;
    const message = `${what}, set hadoop.security.token.service.use_ip to false, or configure the services of its tokens`;
    throw new HadoopConfigurationError({ property: 'hadoop.security.token.service.use_ip', message });
  }
  return used.map((address) => `${address}:${port}`);
}

/** getaddrinfo's "try again": no server answered, or it could not tell. Common while a pod's network comes up. */
const TEMPORARY = 'EAI_AGAIN';
const LOOKUP_PAUSES_MS: readonly number[] = [500, 1000, 2000];

async function lookUp(
  host: string,
  { lookup, clock }: TokenServiceNamesOptions,
): Promise<{ readonly found: readonly string[]; readonly code?: string }> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return { found: await lookup(host) };
    } catch (error) {
      const code = errorCode(error);
      const pauseMs = code === TEMPORARY ? LOOKUP_PAUSES_MS[attempt] : undefined;
      if (pauseMs === undefined) return { found: [], code };
      await clock?.sleep(pauseMs);
    }
  }
}

/** A Hadoop `Text` holds at most 1 MiB; a real service is some dozen bytes. */
const MAX_SERVICE_LENGTH = 1024;

function checkOverride(nameservice: Nameservice, override: readonly string[]): readonly string[] {
  const bad = override.some((name) => name.length > MAX_SERVICE_LENGTH || !/^[\x21-\x7e]+$/.test(name));
  if (bad || override.length === 0) {
    const message =
      `the configured services of nameservice ${nameservice.name} must be at least one text of visible ASCII ` +
      'characters without blanks, for example "10.0.0.1:8020" or "ha-hdfs:ns1"';
    throw new HadoopConfigurationError({ message });
  }
  return Object.freeze([...new Set(override)]);
}
