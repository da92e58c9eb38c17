import type { ServeConfig } from '../../config/serve-config.ts';
import type { TokenSource } from '../../delegation-tokens/credentials.ts';
import type { PodHolders } from '../../delegation-tokens/holders.ts';
import { type LiveToken, stateOf } from '../../delegation-tokens/live-token.ts';
import { type LifeStep, TokenLife } from '../../delegation-tokens/token-life.ts';
import type { TokenStore } from '../../delegation-tokens/token-store.ts';
import { callLimits } from '../../hadoop/call-limits.ts';
import type { Dependency } from '../../http-api/readiness.ts';
import type { KubernetesApi } from '../../kubernetes/kubernetes-api.ts';
import type { Logger } from '../../observability/logger.ts';
import type { Metrics } from '../../observability/metrics.ts';
import { countFromZero } from '../../observability/token-life-metrics.ts';
import { KubernetesTokenStore, TOKEN_SECRETS } from '../../stores/kubernetes-store.ts';
import { MemoryTokenStore } from '../../stores/memory-store.ts';
import type { Clock } from '../../time/clock.ts';
import { ownNamespace } from './build-revocations.ts';
import { buildSharing } from './build-sharing.ts';
import { createTokenLifeLog, logTokenStoreEvent } from './log-token-life.ts';
import { measureTokenStore } from './measure-token-store.ts';

/** A renewal that is due and not answered after this is late. */
const OVERDUE_MS = 60_000;

export interface BuildTokenLifeOptions {
  readonly config: Pick<ServeConfig, 'delegationTokens' | 'limits' | 'kubernetes'>;
  readonly kubernetes: Pick<KubernetesApi, 'createSecretRecords'>;
  readonly sources: readonly TokenSource[];
  readonly holders: PodHolders;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: () => number;
  readonly replica: string;
  readonly onStep?: ((step: LifeStep) => void) | undefined;
}

export interface TokenLifeParts {
  readonly life: TokenLife;
  readonly dependency: Dependency;
  /** Begins at once; what is stored is known when the dependency is ready. */
  readonly start: () => void;
  readonly stop: () => Promise<void>;
}

/** The tokens, their store, and what is told of them. */
export function buildTokenLife(options: BuildTokenLifeOptions): TokenLifeParts {
  const { config, sources, metrics, logger, clock } = options;
  const { idleMs, proofOfLifeMs, stalenessMs, sharing } = config.delegationTokens;
  const lookUps = metrics.tokenCacheRequests.tallyBy((result: 'hit' | 'miss') => ({ result }));
  const life = new TokenLife({
    sources,
    store: measureTokenStore(createStore(options), metrics),
    holders: options.holders,
    clock,
    random: options.random,
    replica: options.replica,
    sharing: buildSharing(sharing),
    timing: { idleMs, proofOfLifeMs, stalenessMs },
    limits: { perNamespace: config.limits.tokensPerNamespace, inAll: config.limits.tokens },
    flightTimeoutMs: callLimits(config.limits).flightTimeoutMs,
    onLimited: (limit) => metrics.delegationTokensLimited.inc({ limit }),
    onLookUp: (result) => lookUps.inc(result),
    onHandOutProof: ({ cluster }, outcome) => metrics.delegationTokenProofs.inc({ cluster, outcome }),
    onEvent: createTokenLifeLog(logger, metrics),
    ...(options.onStep === undefined ? {} : { onStep: options.onStep }),
  });
  observe(life, options);
  const loaded = Promise.withResolvers<void>();
  return {
    life,
    dependency: {
      name: 'token-store',
      required: 'until-first-success',
      // Waited for: it takes a moment, and the next check comes after seconds.
      check: () => loaded.promise,
    },
    start: () => {
      void (async () => {
        // It goes on trying until it is stopped.
        await life.start();
        loaded.resolve();
        logger.info('Recorded tokens read', { tokens: life.tokens.size });
      })().catch((error: unknown) => logger.warn('Recorded tokens were not read', { error }));
    },
    stop: () => life.stop(),
  };
}

function createStore({ config, kubernetes, clock, random, logger }: BuildTokenLifeOptions): TokenStore {
  const { store, storeNamespace } = config.delegationTokens;
  if (store === 'memory') {
    logger.warn(
      'delegationTokens.store is memory: a restart forgets all tokens, and pods keep theirs only until they lapse',
    );
    return new MemoryTokenStore({ clock });
  }
  const namespace = storeNamespace ?? ownNamespace(config.kubernetes.kubeconfig);
  return new KubernetesTokenStore({
    secrets: kubernetes.createSecretRecords({ namespace, ...TOKEN_SECRETS }),
    clock,
    random,
    onEvent: (event) => logTokenStoreEvent(logger, namespace, event),
  });
}

function observe(life: TokenLife, { sources, metrics, clock }: BuildTokenLifeOptions): void {
  countFromZero(metrics, [...new Set(sources.map(({ cluster }) => cluster))]);
  metrics.delegationTokenFlights.observe(() => life.cache.flights, {});
  metrics.delegationTokensUnrecorded.observe(() => life.issuer.unrecorded, {});
  metrics.tokenStoreAge.observe(() => {
    const knownUntil = life.knownUntil();
    return knownUntil === undefined ? undefined : Math.max(0, clock.now() - knownUntil) / 1_000;
  }, {});
  for (const [cluster, ofCluster] of Map.groupBy(sources, (source) => source.cluster)) {
    for (const state of ['current', 'retired', 'tombstoned'] as const) {
      const count = () =>
        countOf(life, (live) => live.slot.source.cluster === cluster && stateOf(live) === state);
      metrics.delegationTokens.observe(count, { cluster, state });
    }
    metrics.delegationTokenRenewalsOverdue.observe(
      () => ofCluster.reduce((sum, source) => sum + life.countOverdue(source, OVERDUE_MS), 0),
      { cluster },
    );
    for (const [kind, ofKind] of Map.groupBy(ofCluster, (source) => source.kind)) {
      const labels = { cluster, kind };
      metrics.delegationTokenNearestExpiry.observe(() => secondsToExpiry(life, ofKind), labels);
      metrics.delegationTokenRenewalInterval.observe(() => {
        const intervals = ofKind.flatMap((source) => life.prover.intervalMs(source) ?? []);
        return intervals.length === 0 ? undefined : Math.min(...intervals) / 1_000;
      }, labels);
    }
  }
}

function countOf(life: TokenLife, isCounted: (live: LiveToken) => boolean): number {
  let count = 0;
  for (const live of life.tokens.values()) if (isCounted(live)) count += 1;
  return count;
}

/** Of those that a renewal could still prolong. */
function secondsToExpiry(life: TokenLife, sources: readonly TokenSource[]): number | undefined {
  let first: number | undefined;
  for (const { slot, lapsesAt, cached, dead, recorded } of life.tokens.values()) {
    if (dead || cached === undefined || !sources.includes(slot.source)) continue;
    // Nobody holds it: it may lapse before it is cancelled.
    if (recorded.tombstonedAt !== undefined) continue;
    if (cached.expiresAt >= cached.token.maxDate) continue;
    if (first === undefined || lapsesAt < first) first = lapsesAt;
  }
  return first === undefined ? undefined : (first - life.now()) / 1_000;
}
