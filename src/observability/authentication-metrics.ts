import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { LiveGauge } from './live-gauge.ts';
import { TallyCounter } from './tally.ts';

/** What the check of a caller costs, and what it knows: the Kubernetes side, our own files, the queues before both. */
export interface AuthenticationMetrics {
  readonly tokenReviewCacheRequests: TallyCounter<'result'>;
  readonly tokenReviews: Counter<'outcome'>;
  readonly tokenReviewDuration: Histogram;
  readonly podLookUps: TallyCounter<'source' | 'result'>;
  readonly podReflectorPods: LiveGauge;
  readonly podReflectorSynced: LiveGauge;
  readonly podReflectorLastHeard: LiveGauge;
  readonly podReflectorEvents: Counter<'type'>;
  readonly podReflectorRelists: Counter<'reason'>;
  readonly podReflectorReconnects: Counter<'reason'>;
  readonly signingKeyRefreshes: Counter<'outcome'>;
  readonly signingKeys: LiveGauge;
  readonly queueRunning: LiveGauge<'queue'>;
  readonly queueWaiting: LiveGauge<'queue' | 'lane'>;
  readonly queueRejected: Counter<'queue' | 'reason'>;
  readonly fileReloads: Counter<'file' | 'outcome'>;
  readonly fileOk: Gauge<'file'>;
  readonly revocationsInForce: LiveGauge<'kind'>;
  readonly revocationsLastRead: LiveGauge;
  readonly tlsCertificateNotAfter: LiveGauge;
}

/** A TokenReview is one call to the API server, which may ask an authentication webhook of its own. */
const REVIEW_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export function createAuthenticationMetrics(registers: Registry[]): AuthenticationMetrics {
  return {
    tokenReviewCacheRequests: new TallyCounter({
      name: 'kerbridge_token_review_cache_requests_total',
      help: 'Look-ups of the TokenReview cache by result (hit, miss; shared: a review was under way already)',
      labelNames: ['result'],
      registers,
    }),
    tokenReviews: new Counter({
      name: 'kerbridge_token_reviews_total',
      help: 'TokenReviews asked of the API server by outcome (authenticated, refused, could-not-check)',
      labelNames: ['outcome'],
      registers,
    }),
    tokenReviewDuration: new Histogram({
      name: 'kerbridge_token_review_duration_seconds',
      help: 'Time of a TokenReview, without the wait in our queue',
      buckets: REVIEW_SECONDS,
      registers,
    }),
    podLookUps: new TallyCounter({
      name: 'kerbridge_pod_lookups_total',
      help: 'Look-ups of the bound pod by source (reflector, live) and result (found, not-found, failed)',
      labelNames: ['source', 'result'],
      registers,
    }),
    podReflectorPods: new LiveGauge({
      name: 'kerbridge_pod_reflector_pods',
      help: 'Pods that the reflector holds in memory',
      registers,
    }),
    podReflectorSynced: new LiveGauge({
      name: 'kerbridge_pod_reflector_synced',
      help: '1 while the reflector vouches for what it knows, else 0: every pod is then looked up live',
      registers,
    }),
    podReflectorLastHeard: new LiveGauge({
      name: 'kerbridge_pod_reflector_last_heard_timestamp_seconds',
      help: 'When the reflector last heard from the API server, an event or a bookmark; absent: never yet',
      registers,
    }),
    podReflectorEvents: new Counter({
      name: 'kerbridge_pod_reflector_events_total',
      help: 'Watch events of pods by type (put, delete, bookmark)',
      labelNames: ['type'],
      registers,
    }),
    podReflectorRelists: new Counter({
      name: 'kerbridge_pod_reflector_relists_total',
      help: 'Whole lists of the pods by reason (start, failed)',
      labelNames: ['reason'],
      registers,
    }),
    podReflectorReconnects: new Counter({
      name: 'kerbridge_pod_reflector_reconnects_total',
      help: 'Watches and lists of the pods that were begun again by reason (ended: a watch, in good order; watch-failed, list-failed)',
      labelNames: ['reason'],
      registers,
    }),
    signingKeyRefreshes: new Counter({
      name: 'kerbridge_signing_key_refreshes_total',
      help: "Reads of the API server's signing keys by outcome (refreshed, failed)",
      labelNames: ['outcome'],
      registers,
    }),
    signingKeys: new LiveGauge({
      name: 'kerbridge_signing_keys',
      help: 'Signing keys of the API server that are known',
      registers,
    }),
    queueRunning: new LiveGauge({
      name: 'kerbridge_queue_running',
      help: 'Calls under way by queue',
      labelNames: ['queue'],
      registers,
    }),
    queueWaiting: new LiveGauge({
      name: 'kerbridge_queue_waiting',
      help: 'Calls that wait for their turn by queue and lane (of Hadoop, the most urgent first: renewal, issue, cancel; else all)',
      labelNames: ['queue', 'lane'],
      registers,
    }),
    queueRejected: new Counter({
      name: 'kerbridge_queue_rejected_total',
      help: 'Calls that were not begun by queue and reason (full, timed-out)',
      labelNames: ['queue', 'reason'],
      registers,
    }),
    fileReloads: new Counter({
      name: 'kerbridge_file_reloads_total',
      help: 'Files that changed (rules, revocations, stamp-keys, tls) by outcome: reloaded, or kept as it was since the new one is wrong',
      labelNames: ['file', 'outcome'],
      registers,
    }),
    fileOk: new Gauge({
      name: 'kerbridge_file_ok',
      help: '1 while the file (rules, revocations, stamp-keys, tls) as it is now is the one in use, else 0',
      labelNames: ['file'],
      registers,
    }),
    revocationsInForce: new LiveGauge({
      name: 'kerbridge_revocations_in_force',
      help: 'Revocations in force by kind (user, pod)',
      labelNames: ['kind'],
      registers,
    }),
    revocationsLastRead: new LiveGauge({
      name: 'kerbridge_revocations_last_read_timestamp_seconds',
      help: 'When the list of revocations was last known to be current; too old a list refuses everybody (503)',
      registers,
    }),
    tlsCertificateNotAfter: new LiveGauge({
      name: 'kerbridge_tls_certificate_not_after_timestamp_seconds',
      help: 'End of validity of the certificate that the API port serves; absent without TLS',
      registers,
    }),
  };
}
