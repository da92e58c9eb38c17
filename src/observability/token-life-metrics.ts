import { Counter, type Registry } from 'prom-client';
import { LiveGauge } from './live-gauge.ts';

/** What becomes of the delegation tokens: renewed, proven, handed on, cancelled, lost; and what Hadoop and the store make of it. */
export interface TokenLifeMetrics {
  readonly delegationTokenFlights: LiveGauge;
  readonly delegationTokensLimited: Counter<'limit'>;
  readonly delegationTokens: LiveGauge<'cluster' | 'state'>;
  readonly delegationTokenRenewals: Counter<'cluster' | 'outcome'>;
  readonly delegationTokenRenewalsOverdue: LiveGauge<'cluster'>;
  readonly delegationTokenNearestExpiry: LiveGauge<'cluster' | 'kind'>;
  readonly delegationTokenRenewalInterval: LiveGauge<'cluster' | 'kind'>;
  readonly delegationTokenProofs: Counter<'cluster' | 'outcome'>;
  readonly delegationTokenRejections: Counter<'outcome'>;
  readonly delegationTokensLost: Counter<'cluster' | 'reason'>;
  readonly delegationTokenCancels: Counter<'cluster' | 'outcome'>;
  readonly delegationTokensUnrecorded: LiveGauge;
  readonly tokenStoreCalls: Counter<'operation' | 'outcome'>;
  readonly tokenStoreAge: LiveGauge;
  readonly hadoopBreakerState: LiveGauge<'cluster' | 'endpoint'>;
}

export type RenewalOutcome = 'renewed' | 'failed' | 'lost';
export type ProofOutcome = 'alive' | 'dead' | 'unanswered';
export type RejectionOutcome = 'alive' | 'replaced' | 'unanswered' | 'unknown';
export type LossReason = 'cancelled-elsewhere' | 'expired';
export type CancelOutcome = 'cancelled' | 'kept' | 'failed';
export type TokenState = 'current' | 'retired' | 'tombstoned';

const RENEWALS: readonly RenewalOutcome[] = ['renewed', 'failed', 'lost'];
const LOSSES: readonly LossReason[] = ['cancelled-elsewhere', 'expired'];

/**
 * Shows what has not happened yet as 0. A series that begins with its first event has no increase: the alert for a lost
 * token would miss the first one.
 */
export function countFromZero(
  metrics: Pick<TokenLifeMetrics, 'delegationTokenRenewals' | 'delegationTokensLost'>,
  clusters: readonly string[],
): void {
  for (const cluster of clusters) {
    for (const outcome of RENEWALS) metrics.delegationTokenRenewals.inc({ cluster, outcome }, 0);
    for (const reason of LOSSES) metrics.delegationTokensLost.inc({ cluster, reason }, 0);
  }
}

export function createTokenLifeMetrics(registers: Registry[]): TokenLifeMetrics {
  return {
    delegationTokenFlights: new LiveGauge({
      name: 'kerbridge_delegation_token_flights',
      help: 'Tokens that are being had from Hadoop; all who ask for one wait for the same flight',
      registers,
    }),
    delegationTokensLimited: new Counter({
      name: 'kerbridge_delegation_tokens_limited_total',
      help: 'Requests for a token turned away by limit (namespace, total: live tokens; source: too many wait for one Hadoop)',
      labelNames: ['limit'],
      registers,
    }),
    delegationTokens: new LiveGauge({
      name: 'kerbridge_delegation_tokens',
      help: 'Live tokens by cluster and state: current (handed out), retired (held by somebody, renewed), tombstoned (being cancelled)',
      labelNames: ['cluster', 'state'],
      registers,
    }),
    delegationTokenRenewals: new Counter({
      name: 'kerbridge_delegation_token_renewals_total',
      help: 'Scheduled renewals by cluster and outcome: renewed; failed (tried again while the token lives); lost (it is no more)',
      labelNames: ['cluster', 'outcome'],
      registers,
    }),
    delegationTokenRenewalsOverdue: new LiveGauge({
      name: 'kerbridge_delegation_token_renewals_overdue',
      help: 'Tokens whose renewal is due and has not been answered yet',
      labelNames: ['cluster'],
      registers,
    }),
    delegationTokenNearestExpiry: new LiveGauge({
      name: 'kerbridge_delegation_token_nearest_expiry_seconds',
      help: 'Seconds until the first token lapses that a renewal could still prolong (not at its maxDate); absent: there is none',
      labelNames: ['cluster', 'kind'],
      registers,
    }),
    delegationTokenRenewalInterval: new LiveGauge({
      name: 'kerbridge_delegation_token_renewal_interval_seconds',
      help: 'For how long Hadoop renews a token, as learnt from its answers; absent: not learnt yet',
      labelNames: ['cluster', 'kind'],
      registers,
    }),
    delegationTokenProofs: new Counter({
      name: 'kerbridge_delegation_token_proofs_total',
      help: 'Renewals that prove a token before it is handed out, by cluster and outcome (alive; dead: replaced; unanswered)',
      labelNames: ['cluster', 'outcome'],
      registers,
    }),
    delegationTokenRejections: new Counter({
      name: 'kerbridge_delegation_token_rejections_total',
      help: 'Tokens of which a client says that Hadoop refused them, by outcome (alive, replaced, unanswered, unknown: not one of its own)',
      labelNames: ['outcome'],
      registers,
    }),
    delegationTokensLost: new Counter({
      name: 'kerbridge_delegation_tokens_lost_total',
      help: 'Tokens that ended while somebody may have held them, by cluster and reason: cancelled-elsewhere, or expired before a renewal got through',
      labelNames: ['cluster', 'reason'],
      registers,
    }),
    delegationTokenCancels: new Counter({
      name: 'kerbridge_delegation_token_cancels_total',
      help: 'Tombstoned tokens by cluster and outcome: cancelled, kept (a holder turned up), failed (tried again)',
      labelNames: ['cluster', 'outcome'],
      registers,
    }),
    delegationTokensUnrecorded: new LiveGauge({
      name: 'kerbridge_delegation_tokens_unrecorded',
      help: 'Tokens that were issued but are not in the store yet: a restart would forget them',
      registers,
    }),
    tokenStoreCalls: new Counter({
      name: 'kerbridge_token_store_calls_total',
      help: 'Calls to the store by operation (read, write) and outcome (ok, conflict, unreachable, denied, malformed, too-large)',
      labelNames: ['operation', 'outcome'],
      registers,
    }),
    tokenStoreAge: new LiveGauge({
      name: 'kerbridge_token_store_age_seconds',
      help: 'How long ago the store was last known to be as we have it; absent: nothing is known',
      registers,
    }),
    hadoopBreakerState: new LiveGauge({
      name: 'kerbridge_hadoop_breaker_state',
      help: '0: the daemon answers, or was not asked yet; 1: it did not, and the next call finds out; 2: it is not asked for some seconds',
      labelNames: ['cluster', 'endpoint'],
      registers,
    }),
  };
}
