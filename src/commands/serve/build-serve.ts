import { randomUUID } from 'node:crypto';
import type { RequestListener } from 'node:http';
import { hostname } from 'node:os';
import { createGetCredentials } from '../../delegation-tokens/create-credentials.ts';
import type { TokenSource } from '../../delegation-tokens/credentials.ts';
import type { LifeStep } from '../../delegation-tokens/token-life.ts';
import type { HadoopHttpClient } from '../../hadoop/http/hadoop-http-client.ts';
import { HDFS_DELEGATION_TOKEN } from '../../hadoop/webhdfs/webhdfs-token-service.ts';
import { createAdmin } from '../../http-api/create-admin.ts';
import { createApi } from '../../http-api/create-api.ts';
import { type Dependency, Readiness } from '../../http-api/readiness.ts';
import { Refusals } from '../../http-api/refusals.ts';
import { createSourceAddress } from '../../http-api/source-address.ts';
import { createTokensRoute } from '../../http-api/tokens-route.ts';
import type { SpnegoProcess } from '../../kerberos/spnego-process.ts';
import { auditDescriptor, auditFile } from '../../observability/audit-destination.ts';
import { createAuditStream } from '../../observability/audit-stream.ts';
import type { Logger } from '../../observability/logger.ts';
import { createMetrics, type Metrics } from '../../observability/metrics.ts';
import type { Clock } from '../../time/clock.ts';
import type { DerivedCluster } from './derive-cluster.ts';
import { assertHadoopAnswered, READINESS_CHECK } from './assert-hadoop-answered.ts';
import { buildAuthentication } from './build-authentication.ts';
import { buildPodHolders } from './build-pod-holders.ts';
import { buildRevocations } from './build-revocations.ts';
import { buildTokenLife } from './build-token-life.ts';
import { encodeIssuedCredentials } from './encode-issued-credentials.ts';
import { measureTokenService } from './measure-token-service.ts';
import { observeHadoopQueue } from './observe-hadoop-queue.ts';
import type { ServePlan } from './plan-serve.ts';
import { stampKeysDependency } from './identity-warnings.ts';
import { logSpnegoEvent } from './log-spnego-event.ts';
import {
  newHadoopHttpClient,
  newSpnegoProcess,
  newSpnegoSessions,
  newTokenService,
} from './hadoop-clients.ts';

/** Longer than a Kerberos step may take would keep a report about Kerberos from ever being made. */
const CHECK_MARGIN_MS = 5_000;

export interface ServeParts {
  readonly api: RequestListener;
  readonly admin: RequestListener;
  readonly metrics: Metrics;
  readonly readiness: Readiness;
  /** What the servers turn away is counted and logged with what the API turns away. */
  readonly refusals: Refusals;
  /**
   * Begins to read what changes: pods, keys, revocations. Resolves when the first revocations are known, or known to be
   * out of reach. Rejects with AuditUnavailableError if the audit can't be written.
   */
  readonly start: () => Promise<void>;
  /** Ends child processes and connections. Requests under way fail. */
  readonly close: () => Promise<void>;
}

export interface BuildOptions {
  readonly plan: ServePlan;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly version: string;
  /** For the Kerberos child processes, which take a few harmless variables of it. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** For tests that end the process at a step of a token's life. */
  readonly onLifeStep?: ((step: LifeStep) => void) | undefined;
}

/** Puts the parts together. Child processes start with the first call. */
export async function buildServe(options: BuildOptions): Promise<ServeParts> {
  const { plan, logger, clock } = options;
  const { config, kubernetes, files } = plan;
  const replica = hostname();
  const metrics = createMetrics({ version: options.version, processMetrics: true });
  const audit = createAuditStream({
    destination: config.audit.file === undefined ? auditDescriptor(2) : auditFile(config.audit.file, clock),
    clock,
    replica,
    metrics,
  });
  metrics.auditBufferedBytes.observe(() => audit.bufferedBytes, {});
  const refusals = new Refusals({ metrics, logger, clock, writeAudit: audit.write });
  const clusters: BuiltCluster[] = [];
  for (const cluster of plan.clusters) clusters.push(await buildCluster(cluster, options, metrics));

  const authentication = buildAuthentication({
    config,
    kubernetes,
    metrics,
    logger,
    clock,
    random: Math.random,
  });
  const revocations = buildRevocations({ config, kubernetes, files, metrics, logger, clock });
  const sources = clusters.flatMap((cluster) => cluster.sources);
  const tokenLife = buildTokenLife({
    config,
    kubernetes,
    sources,
    holders: buildPodHolders({
      reflector: authentication.pods,
      listPods: kubernetes.listPods,
      annotation: config.identity.annotation,
    }),
    metrics,
    logger,
    clock,
    random: Math.random,
    replica,
    onStep: options.onLifeStep,
  });
  const { life } = tokenLife;
  const readiness = new Readiness({
    dependencies: [
      ...authentication.dependencies,
      revocations.dependency,
      tokenLife.dependency,
      ...stampKeysDependency(config.identity),
      { name: 'audit', required: 'always', check: () => audit.check() },
      ...clusters.flatMap(({ dependencies }) => dependencies),
    ],
    clock,
    logger,
    metrics,
    checkTimeoutMs: config.limits.kerberosStepTimeoutMs + CHECK_MARGIN_MS,
  });
  const api = createApi({
    authenticatePod: authentication.authenticatePod,
    identifyUser: plan.createIdentifier(revocations.now),
    sourceAddressOf: createSourceAddress({ trustedProxies: config.listen.trustedProxies }),
    requestsPerNamespace: config.limits.requestsPerNamespace,
    writeAudit: audit.write,
    tokensRoute: createTokensRoute({
      authenticateOperator: authentication.authenticateOperator,
      listTokens: () => life.list(),
      replica,
    }),
    getCredentials: createGetCredentials({ sources, cache: life.cache, clock }),
    reportRejected: (report) => life.reportRejected(report),
    encodeCredentials: encodeIssuedCredentials,
    metrics,
    logger,
    clock,
    refusals,
    newRequestId: randomUUID,
  });
  return {
    api,
    admin: createAdmin({ metrics, logger, readiness }),
    metrics,
    readiness,
    refusals,
    start: async () => {
      authentication.start();
      tokenLife.start();
      await Promise.all([revocations.start(), audit.probe()]);
    },
    close: async () => {
      files.stop();
      revocations.stop();
      await tokenLife.stop();
      await authentication.stop();
      await Promise.all(clusters.map(({ close }) => close()));
      kubernetes.close();
      refusals.flush();
      await audit.close();
    },
  };
}

interface BuiltCluster {
  readonly sources: readonly TokenSource[];
  readonly dependencies: readonly Dependency[];
  readonly close: () => Promise<void>;
}

async function buildCluster(
  cluster: DerivedCluster,
  { plan, logger, clock, environment }: BuildOptions,
  metrics: Metrics,
): Promise<BuiltCluster> {
  const { config } = cluster;
  const { limits } = plan.config;
  const http = newHadoopHttpClient(cluster, { limits, clock });
  const spnego = await newSpnegoProcess(cluster, {
    limits,
    clock,
    environment,
    onEvent: (event) => logSpnegoEvent(logger, config.name, event),
  });
  const sessions = newSpnegoSessions(http, spnego, { limits, clock });
  const origins = cluster.nameservices.flatMap(({ endpoints }) =>
    endpoints.map(({ baseUrl }) => new URL(baseUrl).origin),
  );
  observeHadoopQueue(config.name, { sessions, origins, metrics });
  const sources = cluster.nameservices.map(({ name, endpoints, services }): TokenSource => {
    const tokenService = newTokenService({ name, endpoints, services }, sessions, {
      limits,
      clock,
      proxyUser: cluster.shortName,
    });
    return {
      cluster: config.name,
      name,
      kind: HDFS_DELEGATION_TOKEN,
      renewer: cluster.renewer,
      services,
      tokenService: measureTokenService(tokenService, { cluster: config.name, metrics, clock }),
    };
  });
  return {
    sources,
    dependencies: dependenciesOf(cluster, spnego, http),
    close: async () => {
      await spnego.close();
      http.close();
    },
  };
}

/** A ticket for the first NameNode, and the right answer of any NameNode of each nameservice. */
function dependenciesOf(
  cluster: DerivedCluster,
  spnego: SpnegoProcess,
  http: HadoopHttpClient,
): Dependency[] {
  const required = 'until-first-success';
  const { name: clusterName } = cluster.config;
  const spnHost = cluster.nameservices[0]?.endpoints[0]?.spnHost;
  const kerberos: Dependency[] =
    spnHost === undefined
      ? []
      : [
          {
            name: `kerberos/${clusterName}`,
            required,
            cluster: clusterName,
            check: async (signal) => {
              await spnego.negotiate(spnHost, { signal });
            },
          },
        ];
  const nameservices = cluster.nameservices.map(({ name, endpoints }): Dependency => ({
    name: `hadoop/${clusterName}/${name}`,
    required,
    cluster: clusterName,
    check: async (signal) => {
      await Promise.any(
        endpoints.map(async ({ baseUrl }) => {
          const { origin, pathname } = new URL(baseUrl);
          const query = { op: 'GETHOMEDIRECTORY' };
          const reply = await http.send({
            method: 'GET',
            origin,
            path: `${pathname}/`,
            query,
            operation: READINESS_CHECK,
            signal,
          });
          assertHadoopAnswered(reply, origin);
        }),
      );
    },
  }));
  return [...kerberos, ...nameservices];
}
