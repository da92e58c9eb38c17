import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Logger } from '../observability/logger.ts';
import type { Metrics } from '../observability/metrics.ts';
import { Secret } from '../observability/secret.ts';
import type { Clock } from '../time/clock.ts';
import { type Problem, sendProblem } from './problem.ts';
import type { RefusalReason, Refusals } from './refusals.ts';

/** What becomes known of one request on its way, for its one log line. */
export interface RequestRecord {
  /** Ours, random. A caller's own id is never taken over: it could be made to look like another request's. */
  readonly requestId: string;
  /** `other` for what is not among the usual ones: bounded, fit for a metric. */
  readonly method: string;
  /** Every Authorization line as received; the request itself no longer has them. */
  readonly authorization: Secret<readonly string[]>;
  /** Aborted when the caller goes away before the answer is written. */
  readonly signal: AbortSignal;
  /**
   * Logs and counts the request, the first time it is called. Before the answer is written, so that nobody gets
   * credentials of which the log knows nothing.
   */
  readonly report: (status: number | 'aborted') => void;
  /** The pattern that matched: bounded, fit for a metric. */
  route: string;
  outcome?: string;
  /** One of our own words; what the caller made up is in `detail`. */
  reason?: string;
  detail?: string;
  /** What could not be asked, or could not tell. */
  dependency?: string;
  /** IP address of the caller. */
  sourceAddress?: string;
  pod?: {
    readonly namespace: string;
    readonly name: string;
    readonly uid: string;
    readonly serviceAccount: string;
  };
  /** Who asked what only operators may. */
  operator?: string;
  user?: string;
  doAs?: string;
  cluster?: string;
  kinds?: readonly string[];
  sequenceNumbers?: readonly number[];
  missing?: readonly { readonly kind: string; readonly code: string }[];
  /** Where a dependency said no: operator-facing fields of the error. */
  failure?: Readonly<Record<string, string>>;
  error?: unknown;
  /** A limit of ours: such a request is summarised with others of its kind, and gets no line of its own. */
  refusedBy?: RefusalReason;
}

export interface RecordOptions {
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly refusals: Refusals;
  readonly newRequestId: () => string;
}

export const UNMATCHED_ROUTE = 'unmatched';

const METHODS: readonly string[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

const records = new WeakMap<ServerResponse, RequestRecord>();

/** The record that {@link openRecord} made for this response. */
export function recordOf(response: ServerResponse): RequestRecord {
  const record = records.get(response);
  if (record === undefined) throw new Error('the response has no request record');
  return record;
}

/** Starts the record of a request. A caller who goes away before the answer is reported here. */
export function openRecord(
  request: IncomingMessage,
  response: ServerResponse,
  options: RecordOptions,
): RequestRecord {
  const startedAt = options.clock.now();
  const gone = new AbortController();
  let reported = false;
  const record: RequestRecord = {
    requestId: options.newRequestId(),
    method: METHODS.includes(request.method ?? '') ? (request.method ?? '') : 'other',
    authorization: takeAuthorization(request),
    signal: gone.signal,
    report: (status) => {
      if (reported) return;
      reported = true;
      report(record, status, options.clock.now() - startedAt, options);
    },
    route: UNMATCHED_ROUTE,
  };
  records.set(response, record);
  response.setHeader('X-Request-Id', record.requestId);
  response.setHeader('X-Content-Type-Options', 'nosniff');
  response.once('close', () => {
    if (!response.writableFinished) gone.abort(new Error('the caller went away'));
    record.report('aborted');
  });
  return record;
}

/** Reports the request and ends it with a problem. */
export function answerProblem(response: ServerResponse, record: RequestRecord, problem: Problem): void {
  record.report(problem.status);
  sendProblem(response, problem, record.requestId);
}

/**
 * Takes the Authorization lines out of the request, wherever Node keeps them, so that nobody is tempted to use or log
 * them (kube-apiserver's bearertoken.go does the same after success; here it happens before anything can fail).
 */
function takeAuthorization(request: IncomingMessage): Secret<readonly string[]> {
  const lines: string[] = [];
  const kept: string[] = [];
  for (let index = 0; index + 1 < request.rawHeaders.length; index += 2) {
    const name = request.rawHeaders[index] ?? '';
    const value = request.rawHeaders[index + 1] ?? '';
    if (name.toLowerCase() === 'authorization') lines.push(value);
    else kept.push(name, value);
  }
  delete request.headers.authorization;
  delete request.headersDistinct['authorization'];
  request.rawHeaders = kept;
  return new Secret(lines);
}

function report(
  record: RequestRecord,
  status: number | 'aborted',
  durationMs: number,
  { logger, metrics, refusals }: RecordOptions,
): void {
  const { route, method } = record;
  metrics.httpRequests.inc({ route, method, status: String(status) });
  metrics.httpRequestDuration.observe({ route, method }, durationMs / 1000);
  if (record.refusedBy !== undefined) {
    refusals.note(record.refusedBy);
    return;
  }
  const { authorization: _authorization, signal: _signal, report: _report, ...known } = record;
  const fields = { status, durationMs, ...known };
  if (status === 500) logger.error('Request failed', fields);
  else if (record.error !== undefined || status === 502 || status === 503) {
    logger.warn('Request could not be answered', fields);
  } else logger.info('Request handled', fields);
}
