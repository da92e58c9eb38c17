import { lookup } from 'node:dns/promises';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DelegationToken } from '../../../src/delegation-tokens/token-service.ts';
import { encodeCredentials } from '../../../src/hadoop/codec/credentials.ts';
import { toToken } from '../../../src/hadoop/codec/delegation-token.ts';
import { hadoopClusterConfiguration } from '../../../src/hadoop/conf-dir/hadoop-cluster-configuration.ts';
import { readConfiguration } from '../../../src/hadoop/conf-dir/read-configuration.ts';
import { tokenServiceNames } from '../../../src/hadoop/conf-dir/token-service-names.ts';
import { webHdfsEndpoints } from '../../../src/hadoop/conf-dir/webhdfs-endpoints.ts';
import { DEFAULT_CALL_TIMEOUT_MS, HadoopHttpClient } from '../../../src/hadoop/http/hadoop-http-client.ts';
import { SpnegoSessions } from '../../../src/hadoop/http/spnego-sessions.ts';
import { WebHdfsTokenService } from '../../../src/hadoop/webhdfs/webhdfs-token-service.ts';
import { createSpnegoProcess } from '../../../src/kerberos/spnego-process.ts';
import { systemClock } from '../../../src/time/clock.ts';
import type { HdfsCluster, Stack } from '../../stack/stack.ts';

export interface OpenTokenService extends AsyncDisposable {
  readonly tokenService: WebHdfsTokenService;
  /** Every label that clients of this nameservice may look for. */
  readonly services: readonly string[];
  readonly sessions: SpnegoSessions;
  close(): Promise<void>;
}

/**
 * The token service of one cluster of the stack, put together from its conf dir as `serve` does; `addressOf` leads it to
 * something before a NameNode instead.
 */
export async function openTokenService(
  stack: Stack,
  cluster: HdfsCluster,
  {
    keytab = stack.keytabs.kerbridge,
    proxyUser = 'kerbridge',
    callTimeoutMs = DEFAULT_CALL_TIMEOUT_MS,
    addressOf = (baseUrl: string) => baseUrl,
  } = {},
): Promise<OpenTokenService> {
  const { properties } = await readConfiguration(cluster.confDir);
  const configuration = hadoopClusterConfiguration(properties);
  const [nameservice] = configuration.nameservices;
  if (nameservice === undefined) throw new Error(`${cluster.confDir} names no nameservice`);
  const services = await tokenServiceNames(nameservice, {
    kind: 'HDFS_DELEGATION_TOKEN',
    useIp: configuration.useIp,
    lookup: async (host) => (await lookup(host, { all: true })).map(({ address }) => address),
  });
  const spnego = await createSpnegoProcess({ keytab, krb5Conf: stack.krb5Conf });
  const http = new HadoopHttpClient({ clock: systemClock, allowPlainHttp: true, timeoutMs: callTimeoutMs });
  const sessions = new SpnegoSessions({ http, spnego, clock: systemClock, random: Math.random });
  const tokenService = new WebHdfsTokenService({
    nameNodes: webHdfsEndpoints(configuration, nameservice, { allowPlainHttp: true }).map((endpoint) => ({
      id: endpoint.nameNodeId,
      origin: new URL(addressOf(endpoint.baseUrl)).origin,
      spnHost: endpoint.spnHost,
    })),
    sessions,
    callTimeoutMs,
    proxyUser,
    service: services[0] ?? '',
    clock: systemClock,
    random: Math.random,
  });
  const close = () => spnego.close();
  return { tokenService, services, sessions, close, [Symbol.asyncDispose]: close };
}

/** A Hadoop credentials file with one delegation token under every label. */
export async function writeCredentialsFile(
  path: string,
  delegationToken: DelegationToken,
  services: readonly string[],
  format: 'writable' | 'protobuf' = 'writable',
): Promise<void> {
  const tokens = services.map((service) => ({ alias: service, token: toToken(delegationToken, service) }));
  await writeFile(path, encodeCredentials({ tokens, secrets: [] }, format), { mode: 0o600 });
}

/** A folder that is gone at the end of the block. */
export async function temporaryFolder(): Promise<{ path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), 'kerbridge-test-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}
