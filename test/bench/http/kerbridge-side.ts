// Kerbridge's side of a measurement, put together as `serve` does it but for Hadoop, whose tokens are made here:
//   node kerbridge-side.ts OPTIONS   (JSON: KerbridgeOptions)
import { randomBytes } from 'node:crypto';
import { openSync, readFileSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import { buildAuthentication } from '../../../src/commands/serve/build-authentication.ts';
import { encodeIssuedCredentials } from '../../../src/commands/serve/encode-issued-credentials.ts';
import { HttpServer } from '../../../src/commands/serve/http-server.ts';
import { openLog } from '../../../src/commands/serve/open-log.ts';
import { parseTlsPair } from '../../../src/commands/serve/tls-certificate.ts';
import { createGetCredentials } from '../../../src/delegation-tokens/create-credentials.ts';
import type { TokenSource } from '../../../src/delegation-tokens/credentials.ts';
import { DEFAULT_SHARING } from '../../../src/delegation-tokens/sharing.ts';
import { DEFAULT_TIMING, TokenLife } from '../../../src/delegation-tokens/token-life.ts';
import { MemoryTokenStore } from '../../../src/stores/memory-store.ts';
import type { TokenService } from '../../../src/delegation-tokens/token-service.ts';
import { createApi } from '../../../src/http-api/create-api.ts';
import { createRouter } from '../../../src/http-api/create-router.ts';
import { Refusals } from '../../../src/http-api/refusals.ts';
import { createSourceAddress } from '../../../src/http-api/source-address.ts';
import { createDenyList } from '../../../src/identity/deny-list.ts';
import { createUserIdentifier } from '../../../src/identity/identify-user.ts';
import { compileIdentityRules } from '../../../src/identity/identity-rules.ts';
import { parseIdentityRules } from '../../../src/config/identity-rules.ts';
import { DEFAULT_USER_PATTERN } from '../../../src/identity/user-name.ts';
import { loadKubernetesApi } from '../../../src/kubernetes/kubernetes-api.ts';
import { auditFile } from '../../../src/observability/audit-destination.ts';
import { createAuditStream } from '../../../src/observability/audit-stream.ts';
import { createMetrics } from '../../../src/observability/metrics.ts';
import { Secret } from '../../../src/observability/secret.ts';
import { systemClock } from '../../../src/time/clock.ts';
import { ANNOTATION, AUDIENCE, STAMP_KEYS } from './pods.ts';
import { serveParent, tellParent } from './process.ts';

export interface KerbridgeOptions {
  readonly kubeconfig: string;
  readonly auditFile: string;
  readonly logFile: string;
  /** Serve HTTPS too, on a port of its own. */
  readonly tls: { readonly certFile: string; readonly keyFile: string } | undefined;
  /** Route through Express first. */
  readonly express: boolean;
  /** How long a TokenReview's yes is believed; undefined: as long as `serve` does. */
  readonly reviewLifetimeMs: number | undefined;
}

const HOUR_MS = 3_600_000;
const KIND = 'HDFS_DELEGATION_TOKEN';
const SERVICES = ['ha-hdfs:prod', '10.0.0.1:8020', '10.0.0.2:8020', 'nn1.example.com:8020'];
const RULES = `
version: 1
groups: { etl: [user-01, user-02] }
namespaces:
  - namespaces: [secret]
    users: [nobody]
  - namespaces: ['team-*']
    users: ['user-*', 'group:etl']
otherNamespaces: none
denyUsers: ['svc_root_*']
`;

const options = JSON.parse(process.argv[2] ?? '') as KerbridgeOptions;
const clock = systemClock;
const metrics = createMetrics({ version: 'bench', processMetrics: true });
const { logger, output } = openLog({ descriptor: openSync(options.logFile, 'a'), level: 'info', clock });
output.countDropped((lines) => metrics.logLinesDropped.inc(lines));
const audit = createAuditStream({
  destination: auditFile(options.auditFile, clock),
  clock,
  replica: 'kerbridge-0',
  metrics,
});
metrics.auditBufferedBytes.observe(() => audit.bufferedBytes, {});
const refusals = new Refusals({ metrics, logger, clock, writeAudit: audit.write });
const limits = {
  hadoopCallTimeoutMs: 20_000,
  kerberosStepTimeoutMs: 40_000,
  kubernetesCallTimeoutMs: 10_000,
  requestsPerNamespace: 100,
  tokensPerNamespace: 100_000,
  tokens: 100_000,
};
const authentication = buildAuthentication({
  config: {
    kubernetes: {
      kubeconfig: options.kubeconfig,
      context: undefined,
      audience: AUDIENCE,
      adminAudience: 'kerbridge-admin',
      issuers: [],
      maxTokenLifetimeMs: HOUR_MS,
      podSelector: undefined,
      checkSourceAddress: true,
    },
    limits,
    identity: {
      annotation: ANNOTATION,
      userPattern: DEFAULT_USER_PATTERN,
      denyUsers: [],
      requireSignature: true,
      stampKeysFile: undefined,
      rulesFile: undefined,
      revocationsFile: undefined,
      revocationsConfigMap: { namespace: undefined, name: 'kerbridge-revocations' },
    },
  },
  kubernetes: loadKubernetesApi({ kubeconfig: options.kubeconfig }),
  metrics,
  logger,
  clock,
  random: Math.random,
  ...(options.reviewLifetimeMs === undefined ? {} : { reviewLifetimeMs: options.reviewLifetimeMs }),
});
const tokenCounts = metrics.tokenCacheRequests.tallyBy((result: 'hit' | 'miss') => ({ result }));
const source: TokenSource = {
  cluster: 'prod',
  name: 'prod',
  kind: KIND,
  renewer: 'kerbridge',
  services: SERVICES,
  tokenService: tokensMadeHere(),
};
const life = new TokenLife({
  sources: [source],
  store: new MemoryTokenStore({ clock }),
  holders: { lastSeen: () => undefined, listNow: () => Promise.resolve([]) },
  clock,
  random: Math.random,
  replica: 'bench',
  sharing: DEFAULT_SHARING,
  timing: DEFAULT_TIMING,
  limits: { perNamespace: limits.tokensPerNamespace, inAll: limits.tokens },
  onLookUp: (result) => tokenCounts.inc(result),
});
await life.start();
const rules = compileIdentityRules(parseIdentityRules(RULES));
const revocations = { known: true, revocations: [] } as const;
const api = createApi({
  authenticatePod: authentication.authenticatePod,
  identifyUser: createUserIdentifier({
    annotation: ANNOTATION,
    denyUsers: createDenyList({ ownShortNames: ['kerbridge'], users: ['admin-*'] }),
    rules: () => rules,
    requireSignature: true,
    stampKeys: () => STAMP_KEYS,
    revocations: () => revocations,
    clock,
  }),
  sourceAddressOf: createSourceAddress({ trustedProxies: [] }),
  requestsPerNamespace: limits.requestsPerNamespace,
  writeAudit: audit.write,
  tokensRoute: () => Promise.resolve({ outcome: 'not-authenticated', reason: 'no-bearer-token' }),
  getCredentials: createGetCredentials({ sources: [source], cache: life.cache, clock }),
  reportRejected: (report) => life.reportRejected(report),
  encodeCredentials: encodeIssuedCredentials,
  metrics,
  logger,
  clock,
  refusals,
});
const listener = options.express ? throughExpress(api) : api;
const ANYWHERE = { address: '127.0.0.1', port: 0 };
authentication.start();
await audit.probe();
for (const { check } of authentication.dependencies) await check(AbortSignal.timeout(30_000));
const { port } = await new HttpServer({ listener, refusals }).listen(ANYWHERE);
const tlsPort = options.tls === undefined ? undefined : await listenTls(options.tls);
serveParent();
tellParent({ port, tlsPort });

async function listenTls({ certFile, keyFile }: NonNullable<KerbridgeOptions['tls']>): Promise<number> {
  const pair = parseTlsPair(readFileSync(certFile, 'utf8'), readFileSync(keyFile, 'utf8'));
  return (await new HttpServer({ listener, refusals, tls: { pair } }).listen(ANYWHERE)).port;
}

/** The same route, found by Express. */
function throughExpress(route: RequestListener): RequestListener {
  const router = createRouter();
  router.all('/v1/credentials', (request, response) => {
    route(request, response);
  });
  return router;
}

function tokensMadeHere(): TokenService {
  let sequenceNumber = 0;
  return {
    kind: KIND,
    issue: ({ owner, renewer }) => {
      sequenceNumber += 1;
      const now = clock.now();
      return Promise.resolve({
        kind: KIND,
        service: SERVICES[0] ?? '',
        // As long as a real one.
        identifier: randomBytes(70),
        password: new Secret<Uint8Array>(randomBytes(20)),
        owner,
        renewer,
        realUser: '',
        issueDate: BigInt(now),
        maxDate: BigInt(now + 7 * 24 * HOUR_MS),
        sequenceNumber,
        masterKeyId: 1,
      });
    },
    renew: () => Promise.resolve({ expiresAt: BigInt(clock.now() + 24 * HOUR_MS) }),
    cancel: () => Promise.resolve(),
  };
}
