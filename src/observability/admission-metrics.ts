import { Counter, Histogram, type Registry } from 'prom-client';
import { LiveGauge } from './live-gauge.ts';
import { TallyCounter } from './tally.ts';

/** What `kerbridge decorate` does and needs. Labels are our own words: no namespace, user or kind of object. */
export interface AdmissionMetrics {
  readonly admissionReviews: TallyCounter<'route' | 'outcome'>;
  readonly admissionReviewDuration: Histogram<'route'>;
  readonly admissionReviewsInFlight: LiveGauge;
  readonly ownCaEvents: Counter<'type'>;
  readonly ownCaNotAfter: LiveGauge;
}

/** Somebody waits for each of them, for ten seconds by default. */
const REVIEW_SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

export function createAdmissionMetrics(registers: Registry[]): AdmissionMetrics {
  return {
    admissionReviews: new TallyCounter({
      name: 'kerbridge_admission_reviews_total',
      help: 'Admission reviews by route (/mutate, /validate) and outcome: allowed, changed, refused, could-not-check, failed; not looked at: oversize, malformed, overloaded, unauthenticated; aborted: the API server waited no longer',
      labelNames: ['route', 'outcome'],
      registers,
    }),
    admissionReviewDuration: new Histogram({
      name: 'kerbridge_admission_review_duration_seconds',
      help: 'Time of an admission review, from its headers to its answer',
      labelNames: ['route'],
      buckets: REVIEW_SECONDS,
      registers,
    }),
    admissionReviewsInFlight: new LiveGauge({
      name: 'kerbridge_admission_reviews_in_flight',
      help: 'Admission reviews under way',
      registers,
    }),
    ownCaEvents: new Counter({
      name: 'kerbridge_own_ca_events_total',
      help: 'What became of the certificates of our own authority, by type: changed, outrun (by another replica), bundle-written, bundle-failed, failed',
      labelNames: ['type'],
      registers,
    }),
    ownCaNotAfter: new LiveGauge({
      name: 'kerbridge_own_ca_not_after_timestamp_seconds',
      help: 'End of validity of our own certificate authority; absent where the certificate comes from files',
      registers,
    }),
  };
}
