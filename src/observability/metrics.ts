import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import { type AdmissionMetrics, createAdmissionMetrics } from './admission-metrics.ts';
import { type AuthenticationMetrics, createAuthenticationMetrics } from './authentication-metrics.ts';
import { LiveGauge } from './live-gauge.ts';
import { TallyCounter } from './tally.ts';
import { createTokenLifeMetrics, type TokenLifeMetrics } from './token-life-metrics.ts';

/**
 * Every metric of `kerbridge serve` and `kerbridge decorate`. Labels are bounded by our own unions and configuration, never by what callers
 * send: no namespace, user, pod or free text. `docs/metrics.md` is written from these definitions.
 */
export interface Metrics extends AdmissionMetrics, AuthenticationMetrics, TokenLifeMetrics {
  readonly registry: Registry;
  readonly httpRequests: TallyCounter<'route' | 'method' | 'status'>;
  readonly requestsRefused: Counter<'reason'>;
  readonly requestsLimited: Counter<'limit'>;
  readonly httpRequestDuration: Histogram<'route' | 'method'>;
  readonly authentications: TallyCounter<'outcome' | 'reason'>;
  readonly identifications: TallyCounter<'outcome' | 'reason'>;
  readonly credentials: TallyCounter<'outcome'>;
  readonly hadoopCalls: Counter<'cluster' | 'operation' | 'outcome'>;
  readonly hadoopCallDuration: Histogram<'cluster' | 'operation'>;
  readonly tokenCacheRequests: TallyCounter<'result'>;
  readonly dependencyReady: Gauge<'dependency'>;
  readonly auditLines: TallyCounter<'outcome'>;
  readonly auditBufferedBytes: LiveGauge;
  readonly logLinesDropped: Counter;
}

export interface MetricsOptions {
  readonly version: string;
  /** Also the metrics of the Node process (`process_…`, `nodejs_…`). They hook into garbage collection. */
  readonly processMetrics: boolean;
}

/** Gauges that end like counters, which `promtool check metrics` refuses. Those without `_total` have the same by type. */
const MISNAMED = [
  'nodejs_active_handles_total',
  'nodejs_active_requests_total',
  'nodejs_active_resources_total',
];

const REQUEST_SECONDS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** A registry of its own for each call: two apps in one process (a test) don't share numbers. */
export function createMetrics(options: MetricsOptions): Metrics {
  const registry = new Registry();
  const registers = [registry];
  if (options.processMetrics) {
    collectDefaultMetrics({ register: registry });
    for (const name of MISNAMED) registry.removeSingleMetric(name);
  }
  new Gauge({
    name: 'kerbridge_build_info',
    help: 'Always 1; the labels say what runs',
    labelNames: ['version', 'node_version'],
    registers,
  }).set({ version: options.version, node_version: process.version }, 1);
  return {
    registry,
    httpRequests: new TallyCounter({
      name: 'kerbridge_http_requests_total',
      help: 'Requests to the public API by route, method and status; status "aborted": the client went away first',
      labelNames: ['route', 'method', 'status'],
      registers,
    }),
    requestsRefused: new Counter({
      name: 'kerbridge_requests_refused_total',
      help: 'Requests and connections turned away by a limit, or that could not be read, by reason',
      labelNames: ['reason'],
      registers,
    }),
    requestsLimited: new Counter({
      name: 'kerbridge_requests_limited_total',
      help: 'Requests answered with 429 by limit (namespace)',
      labelNames: ['limit'],
      registers,
    }),
    httpRequestDuration: new Histogram({
      name: 'kerbridge_http_request_duration_seconds',
      help: 'Time from the first byte of a request to the end of its answer',
      labelNames: ['route', 'method'],
      buckets: REQUEST_SECONDS,
      registers,
    }),
    authentications: new TallyCounter({
      name: 'kerbridge_authentications_total',
      help: 'Callers by outcome (authenticated, refused, could-not-check, limited) and reason',
      labelNames: ['outcome', 'reason'],
      registers,
    }),
    identifications: new TallyCounter({
      name: 'kerbridge_identifications_total',
      help: 'Authenticated pods by outcome (identified, refused, could-not-check) and reason',
      labelNames: ['outcome', 'reason'],
      registers,
    }),
    credentials: new TallyCounter({
      name: 'kerbridge_credentials_total',
      help: 'Requests of identified users by outcome: issued, unknown-cluster, unknown-kind, nothing-issued, internal or the failure',
      labelNames: ['outcome'],
      registers,
    }),
    hadoopCalls: new Counter({
      name: 'kerbridge_hadoop_calls_total',
      help: 'Token operations at Hadoop by cluster, operation (issue, renew, cancel) and outcome (ok or the failure)',
      labelNames: ['cluster', 'operation', 'outcome'],
      registers,
    }),
    hadoopCallDuration: new Histogram({
      name: 'kerbridge_hadoop_call_duration_seconds',
      help: 'Time of a token operation at Hadoop, failover between endpoints included',
      labelNames: ['cluster', 'operation'],
      buckets: REQUEST_SECONDS,
      registers,
    }),
    tokenCacheRequests: new TallyCounter({
      name: 'kerbridge_token_cache_requests_total',
      help: 'Look-ups of the delegation token cache by result (hit, miss)',
      labelNames: ['result'],
      registers,
    }),
    dependencyReady: new Gauge({
      name: 'kerbridge_dependency_ready',
      help: '1 if the last check of the dependency succeeded, else 0',
      labelNames: ['dependency'],
      registers,
    }),
    auditLines: new TallyCounter({
      name: 'kerbridge_audit_lines_total',
      help: 'Audit lines by outcome: written, or why not (buffer-full, timed-out, failed, closed)',
      labelNames: ['outcome'],
      registers,
    }),
    auditBufferedBytes: new LiveGauge({
      name: 'kerbridge_audit_buffered_bytes',
      help: 'Audit lines that wait to be written',
      registers,
    }),
    logLinesDropped: new Counter({
      name: 'kerbridge_log_lines_dropped_total',
      help: 'Log lines that were not written, as nobody read standard output or it could not be written',
      registers,
    }),
    ...createAdmissionMetrics(registers),
    ...createAuthenticationMetrics(registers),
    ...createTokenLifeMetrics(registers),
  };
}
