import type { ClusterConfig, ServeConfig } from '../../config/serve-config.ts';
import { callLimits } from '../../hadoop/call-limits.ts';
import { HadoopHttpClient } from '../../hadoop/http/hadoop-http-client.ts';
import { SpnegoSessions } from '../../hadoop/http/spnego-sessions.ts';
import { WebHdfsTokenService } from '../../hadoop/webhdfs/webhdfs-token-service.ts';
import type { SpnegoProcessEvent } from '../../kerberos/spnego-process-event.ts';
import { createSpnegoProcess, type SpnegoProcess } from '../../kerberos/spnego-process.ts';
import type { Clock } from '../../time/clock.ts';
import type { DerivedNameservice } from './derive-cluster.ts';

/*
 * The clients of one Hadoop cluster. `kerbridge check` makes them here, too: what it finds out is then true of `serve`.
 */

interface ClientOptions {
  readonly limits: ServeConfig['limits'];
  readonly clock: Clock;
}

export function newHadoopHttpClient(
  { config, ca }: { readonly config: ClusterConfig; readonly ca: string | undefined },
  { limits, clock }: ClientOptions,
): HadoopHttpClient {
  return new HadoopHttpClient({
    clock,
    timeoutMs: limits.hadoopCallTimeoutMs,
    allowPlainHttp: config.allowPlainHttp,
    ...(ca === undefined ? {} : { ca }),
  });
}

export interface SpnegoClientOptions extends ClientOptions {
  /** For the child process, which takes a few harmless variables of it. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly onEvent: (event: SpnegoProcessEvent) => void;
}

/** The child process starts with the first call. Rejects with SpnegoError. */
export function newSpnegoProcess(
  { config, principal }: { readonly config: ClusterConfig; readonly principal: string },
  { limits, clock, environment, onEvent }: SpnegoClientOptions,
): Promise<SpnegoProcess> {
  return createSpnegoProcess({
    keytab: config.keytab,
    principal,
    stepTimeoutMs: limits.kerberosStepTimeoutMs,
    environment,
    clock,
    onEvent,
    ...(config.krb5Conf === undefined ? {} : { krb5Conf: config.krb5Conf }),
  });
}

export function newSpnegoSessions(
  http: HadoopHttpClient,
  spnego: SpnegoProcess,
  { limits, clock }: ClientOptions,
): SpnegoSessions {
  const { negotiateTimeoutMs, queueTimeoutMs } = callLimits(limits);
  return new SpnegoSessions({
    http,
    spnego,
    clock,
    random: Math.random,
    negotiateTimeoutMs,
    queueTimeoutMs,
    discardTickets: () => spnego.discardTickets(),
  });
}

export function newTokenService(
  { name, endpoints, services }: DerivedNameservice,
  sessions: SpnegoSessions,
  { limits, clock, proxyUser }: ClientOptions & { readonly proxyUser: string },
): WebHdfsTokenService {
  return new WebHdfsTokenService({
    nameNodes: endpoints.map(({ nameNodeId, baseUrl, spnHost }) => ({
      id: nameNodeId,
      origin: new URL(baseUrl).origin,
      spnHost,
    })),
    sessions,
    proxyUser,
    service: services[0] ?? name,
    callTimeoutMs: limits.hadoopCallTimeoutMs,
    clock,
    random: Math.random,
  });
}
