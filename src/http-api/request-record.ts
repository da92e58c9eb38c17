import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AuditCommon } from '../observability/audit-record.ts';
import type { LogFields, Logger } from '../observability/logger.ts';
import { CommonFields } from '../observability/plain-json.ts';
import { Secret } from '../observability/secret.ts';
import type { Clock } from '../time/clock.ts';
import { type Problem, sendProblem } from './problem.ts';
import type { RefusalReason, Refusals } from './refusals.ts';
import type { RequestCounts } from './request-counts.ts';

export const UNMATCHED_ROUTE = 'unmatched';

const METHODS: readonly string[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

/** What becomes known of one request on its way, for its one log line. */
export class RequestRecord {
  /** Ours, random. A caller's own id is never taken over: it could be made to look like another request's. */
  readonly requestId: string;
  /** `other` for what is not among the usual ones: bounded, fit for a metric. */
  readonly method: string;
  /** Every Authorization line as received; the request itself no longer has them. */
  readonly authorization: Secret<readonly string[]>;
  /** The pattern that matched: bounded, fit for a metric. */
  route: string = UNMATCHED_ROUTE;
  outcome: string | undefined = undefined;
  /** One of our own words; what the caller made up is in `detail`. */
  reason: string | undefined = undefined;
  detail: string | undefined = undefined;
  /** What could not be asked, or could not tell. */
  dependency: string | undefined = undefined;
  /** IP address of the caller. */
  sourceAddress: string | undefined = undefined;
  pod: RecordedPod | undefined = undefined;
  /** What the last line about that pod had in common with this one, most likely. */
  last: LastLine | undefined = undefined;
  /** Who asked what only operators may. */
  operator: string | undefined = undefined;
  user: string | undefined = undefined;
  /** Who asked for the pod. */
  requester: string | undefined = undefined;
  doAs: string | undefined = undefined;
  cluster: string | undefined = undefined;
  kinds: readonly string[] | undefined = undefined;
  sequenceNumbers: readonly number[] | undefined = undefined;
  missing: readonly { readonly kind: string; readonly code: string }[] | undefined = undefined;
  /** Where a dependency said no: operator-facing fields of the error. */
  failure: Readonly<Record<string, string>> | undefined = undefined;
  error: unknown = undefined;
  /** A limit of ours: such a request is summarised with others of its kind, and gets no line of its own. */
  refusedBy: RefusalReason | undefined = undefined;
  readonly #options: RecordOptions;
  readonly #response: ServerResponse;
  readonly #startedAt: number;
  #isReported = false;
  #gone: AbortController | undefined = undefined;

  constructor(request: IncomingMessage, response: ServerResponse, options: RecordOptions) {
    this.#options = options;
    this.#response = response;
    this.#startedAt = options.clock.now();
    this.requestId = options.newRequestId();
    this.method = METHODS.includes(request.method ?? '') ? (request.method ?? '') : 'other';
    this.authorization = takeAuthorization(request);
  }

  /** The caller went away before the answer was written. */
  get isAbandoned(): boolean {
    return this.#response.destroyed && !this.#response.writableFinished;
  }

  /** Aborted when {@link isAbandoned} becomes true. Only after {@link watch}. */
  get signal(): AbortSignal {
    this.#gone ??= new AbortController();
    return this.#gone.signal;
  }

  /** From now on a caller who goes away is reported when they do so, and not only when their answer is there. */
  watch(): void {
    this.#response.once('close', () => {
      if (this.isAbandoned) this.#gone?.abort(new Error('the caller went away'));
      this.report('aborted');
    });
  }

  /**
   * Logs and counts the request, the first time it is called, before the answer is written. The line may be on its way a
   * moment longer (see LogOutput); that nobody gets credentials in secret is what the audit is for.
   */
  report(status: number | 'aborted'): void {
    if (this.#isReported) return;
    this.#isReported = true;
    const { clock, counts, refusals, logger } = this.#options;
    const durationMs = clock.now() - this.#startedAt;
    const { route, method, refusedBy } = this;
    counts.count({ route, method, status }, durationMs / 1000);
    if (refusedBy !== undefined) {
      refusals.note(refusedBy);
      return;
    }
    const common = status === 200 || status === 304 ? this.common : undefined;
    if (common !== undefined) {
      logger.info('Request handled', this.#briefFields(status, durationMs), common);
      return;
    }
    const fields = this.#fields(status, durationMs);
    if (status === 500) logger.error('Request failed', fields);
    else if (this.error !== undefined || status === 502 || status === 503) {
      logger.warn('Request could not be answered', fields);
    } else logger.info('Request handled', fields);
  }

  /**
   * Whom the request is about and what was handed out, as audit and log both have it: the same object as long as it is
   * the same as with the last request of that pod. Undefined: say all of it in the line itself.
   */
  get common(): AuditCommon | undefined {
    const { last, failure, sourceAddress, pod, user, requester, doAs, cluster, kinds, sequenceNumbers } =
      this;
    if (last === undefined || failure !== undefined) return undefined;
    const before = last.common?.fields;
    if (
      before === undefined ||
      before.pod !== pod ||
      before.user !== user ||
      before.requester !== requester ||
      before.doAs !== doAs ||
      before.sourceAddress !== sourceAddress ||
      before.cluster !== cluster ||
      before.kinds !== kinds ||
      before.sequenceNumbers !== sequenceNumbers
    ) {
      last.common = new CommonFields({
        sourceAddress,
        pod,
        user,
        requester,
        doAs,
        cluster,
        kinds,
        sequenceNumbers,
      });
    }
    return last.common;
  }

  /** With {@link common}, all there is to say of an answer that was given. */
  #briefFields(status: number | 'aborted', durationMs: number): LogFields {
    const { requestId, method, route, outcome, reason, detail, dependency, missing, error } = this;
    return {
      status,
      durationMs,
      requestId,
      method,
      route,
      outcome,
      reason,
      detail,
      dependency,
      missing,
      error,
    };
  }

  #fields(status: number | 'aborted', durationMs: number): LogFields {
    return {
      status,
      durationMs,
      requestId: this.requestId,
      method: this.method,
      route: this.route,
      outcome: this.outcome,
      reason: this.reason,
      detail: this.detail,
      dependency: this.dependency,
      sourceAddress: this.sourceAddress,
      pod: this.pod,
      operator: this.operator,
      user: this.user,
      requester: this.requester,
      doAs: this.doAs,
      cluster: this.cluster,
      kinds: this.kinds,
      sequenceNumbers: this.sequenceNumbers,
      missing: this.missing,
      failure: this.failure,
      error: this.error,
    };
  }
}

export interface RecordedPod {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly serviceAccount: string;
}

/** Kept with the pod. */
export interface LastLine {
  readonly pod: RecordedPod;
  common: AuditCommon | undefined;
}

export interface RecordOptions {
  readonly logger: Logger;
  readonly counts: RequestCounts;
  readonly clock: Clock;
  readonly refusals: Refusals;
  readonly newRequestId: () => string;
}

const records = new WeakMap<ServerResponse, RequestRecord>();

/** The record that {@link keepRecord} keeps for this response. */
export function recordOf(response: ServerResponse): RequestRecord {
  const record = records.get(response);
  if (record === undefined) throw new Error('the response has no request record');
  return record;
}

/** For handlers that are given the response only. */
export function keepRecord(response: ServerResponse, record: RequestRecord): void {
  records.set(response, record);
  record.watch();
}

/** What every answer of ours says. Names and values in turn. */
export function commonHeaders({ requestId }: RequestRecord): string[] {
  return ['X-Request-Id', requestId, 'X-Content-Type-Options', 'nosniff'];
}

/** Reports the request and ends it with a problem. */
export function answerProblem(response: ServerResponse, record: RequestRecord, problem: Problem): void {
  record.report(problem.status);
  setHeaders(response, commonHeaders(record));
  sendProblem(response, problem, record.requestId);
}

/** @param headers names and values in turn */
export function setHeaders(response: ServerResponse, headers: readonly string[]): void {
  for (let index = 0; index + 1 < headers.length; index += 2) {
    response.setHeader(headers[index] ?? '', headers[index + 1] ?? '');
  }
}

/** Stands where an Authorization line was: Node makes its other views of the headers of so many lines, when asked. */
const TAKEN = 'x-taken';

/**
 * Takes the Authorization lines out of the request, wherever Node keeps them, so that nobody is tempted to use or log
 * them (kube-apiserver's bearertoken.go does the same after success; here it happens before anything can fail).
 */
function takeAuthorization(request: IncomingMessage): Secret<readonly string[]> {
  const lines: string[] = [];
  const { rawHeaders } = request;
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? '';
    if (name.length !== AUTHORIZATION.length || name.toLowerCase() !== AUTHORIZATION) continue;
    lines.push(rawHeaders[index + 1] ?? '');
    rawHeaders[index] = TAKEN;
    rawHeaders[index + 1] = '';
  }
  // `headersDistinct` is made of the raw ones when it is first asked for, and nobody before us has asked.
  if (lines.length > 0) delete request.headers.authorization;
  return new Secret(lines);
}

const AUTHORIZATION = 'authorization';
