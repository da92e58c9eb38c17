import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Decide } from '../../admission/review/admission-decision.ts';
import type { AdmissionRequest } from '../../admission/review/admission-request.ts';
import {
  MalformedReviewError,
  MAX_REVIEW_BYTES,
  OversizeReviewError,
  readAdmissionReview,
} from '../../admission/review/read-admission-review.ts';
import { reviewTimeMs } from '../../admission/review/review-time.ts';
import { type ReviewAnswer, writeAdmissionReview } from '../../admission/review/write-admission-review.ts';
import { withDeadline } from '../../concurrency/deadline.ts';
import type { AuditEntry } from '../../observability/audit-record.ts';
import type { WriteAudit } from '../../observability/audit-stream.ts';
import type { Logger } from '../../observability/logger.ts';
import type { Metrics } from '../../observability/metrics.ts';
import type { Tallies } from '../../observability/tally.ts';
import type { Clock } from '../../time/clock.ts';
import { clientNamesOf } from './client-name.ts';
import { bodyLength, readBody } from './read-body.ts';
import {
  auditEntryOf,
  outcomeOf,
  reviewedObject,
  type ReviewOutcome,
  type ReviewPath,
} from './review-record.ts';
import {
  couldNotCheck,
  OVERLOADED,
  ReviewOverError,
  ReviewOverloadError,
  sendText,
  type Unanswerable,
  type Unread,
} from './webhook-answers.ts';
import { REVIEW_QUOTA, type ReviewLimits, ReviewQuota } from './webhook-limits.ts';

export interface WebhookOptions {
  readonly decide: Readonly<Record<ReviewPath, Decide>>;
  readonly writeAudit: WriteAudit;
  readonly metrics: Pick<
    Metrics,
    'admissionReviews' | 'admissionReviewDuration' | 'admissionReviewsInFlight'
  >;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Common or DNS names of the certificates of those who may ask; undefined: whoever TLS lets in. */
  readonly clientNames?: readonly string[] | undefined;
  readonly limits?: ReviewLimits;
  /** Audit only: no review that can be read is answered with a no, whatever went wrong. Default: false. */
  readonly letAllThrough?: boolean;
}

const PATHS: Readonly<Record<string, ReviewPath>> = { '/mutate': 'mutate', '/validate': 'validate' };

/**
 * `POST /mutate` and `POST /validate`. Whatever goes wrong, nothing is let through: what we can't read is no 200, a review
 * that we can read is answered with a no. What is known of a review is in the locals of its own call, and nowhere else.
 */
export function createWebhook(options: WebhookOptions): RequestListener {
  const { metrics, limits = REVIEW_QUOTA } = options;
  const quota = new ReviewQuota(limits);
  metrics.admissionReviewsInFlight.observe(() => quota.reviews, {});
  const counts = metrics.admissionReviews.tallyBy((key: `${ReviewPath} ${ReviewOutcome | Unread}`) => {
    const [path = '', outcome = ''] = key.split(' ');
    return { route: `/${path}`, outcome };
  });
  return (request, response) => {
    const [pathname = '', query = ''] = (request.url ?? '').split('?', 2);
    const path = Object.hasOwn(PATHS, pathname) ? PATHS[pathname] : undefined;
    if (path === undefined) {
      sendText(response, 404, 'Only /mutate and /validate are here');
    } else if (request.method !== 'POST') {
      response.setHeader('Allow', 'POST');
      sendText(response, 405, 'Only POST can be used here');
    } else {
      const call = new WebhookCall({ ...options, quota, counts, path, query }, request, response);
      void call.answer();
    }
  };
}

interface CallOptions extends WebhookOptions {
  readonly quota: ReviewQuota;
  readonly counts: Tallies<`${ReviewPath} ${ReviewOutcome | Unread}`, 'route' | 'outcome'>;
  readonly path: ReviewPath;
  readonly query: string;
}

/** One request, from its headers to its answer. */
class WebhookCall {
  readonly #options: CallOptions;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #startedAt: number;
  /** That the quota has counted. */
  #values = 0;

  constructor(options: CallOptions, request: IncomingMessage, response: ServerResponse) {
    this.#options = options;
    this.#request = request;
    this.#response = response;
    this.#startedAt = options.clock.uptime();
  }

  /** Never rejects. */
  async answer(): Promise<void> {
    const length = bodyLength(this.#request);
    const refusal = this.#refuseUnread(length);
    if (refusal !== undefined) {
      this.#refuse(refusal);
      return;
    }
    const { quota } = this.#options;
    const bytes = length ?? 0;
    const hasRoom = quota.take(bytes);
    // check: review-quota
    if (!hasRoom) {
      this.#refuse(OVERLOADED);
      return;
    }
    const gone = new AbortController();
    this.#response.once('close', () => {
      quota.give({ bytes, values: this.#values });
      // Comes after each answer too, when nobody waits for anything any more.
      if (!this.#response.writableFinished) gone.abort(new ReviewOverError('the API server waits no longer'));
    });
    await this.#review(gone.signal);
  }

  /** Before anything of the body is read. */
  #refuseUnread(length: number | undefined): Unanswerable | undefined {
    const { clientNames } = this.#options;
    // check: webhook-client
    if (clientNames !== undefined && !this.#isOf(clientNames)) {
      const text = 'The name in your certificate is not that of an API server';
      return { status: 403, text, outcome: 'unauthenticated' };
    }
    if (!/^application\/json(?:;|$)/.test(this.#request.headers['content-type'] ?? '')) {
      return { status: 415, text: 'Content-Type must be application/json', outcome: 'malformed' };
    }
    // check: review-length-known
    if (length === undefined) return { status: 411, text: 'Content-Length is needed', outcome: 'malformed' };
    // check: review-length
    if (length > MAX_REVIEW_BYTES) {
      const text = `The review has more than ${MAX_REVIEW_BYTES} bytes: make the object smaller`;
      return { status: 413, text, outcome: 'oversize' };
    }
    return undefined;
  }

  #isOf(clientNames: readonly string[]): boolean {
    return clientNamesOf(this.#request.socket).some((name) => clientNames.includes(name));
  }

  async #review(gone: AbortSignal): Promise<void> {
    const { clock, query } = this.#options;
    // Seen from outside the deadline, so that it can be answered when the time is over.
    let review: AdmissionRequest | undefined;
    try {
      const onTimeout = (): Error => new ReviewOverError('no time is left');
      const answer = await withDeadline(
        { clock, timeoutMs: reviewTimeMs(query), signal: gone, onTimeout },
        async (signal) => {
          const body = await readBody(this.#request);
          // Nobody would give back what is taken now.
          signal.throwIfAborted();
          review = readAdmissionReview(body, (values) => this.#takeValues(values));
          return await this.#decideInWriting(review, signal);
        },
      );
      if (review !== undefined) this.#send(review, answer);
    } catch (error) {
      this.#end(error, review);
    }
  }

  #takeValues(values: number): void {
    // check: review-values-quota
    if (!this.#options.quota.takeValues(values)) throw new ReviewOverloadError('too much is under way');
    this.#values = values;
  }

  /** What is changed or refused, is written down before anybody hears of it. */
  async #decideInWriting(review: AdmissionRequest, signal: AbortSignal): Promise<ReviewAnswer> {
    const { writeAudit } = this.#options;
    const answer = await this.#decide(review, signal);
    const entry = this.#auditEntryOf(review, answer);
    if (entry === undefined) return answer;
    try {
      await writeAudit(entry);
      return answer;
    } catch (error) {
      this.#log('error', 'Audit line of a review cannot be written', review, { error });
      // A no stays one: nobody gains by it.
      return answer.outcome === 'allowed' ? couldNotCheck('audit') : answer;
    }
  }

  /** Of what was let through nobody needs a line. */
  #auditEntryOf(review: AdmissionRequest, answer: ReviewAnswer): AuditEntry | undefined {
    const { path, letAllThrough = false } = this.#options;
    return letAllThrough ? undefined : auditEntryOf(review, answer, path);
  }

  async #decide(review: AdmissionRequest, signal: AbortSignal): Promise<ReviewAnswer> {
    const { path, decide } = this.#options;
    try {
      const decision = await decide[path](review, signal);
      // check: validating-patch
      if (path === 'validate' && outcomeOf(decision) === 'changed') {
        throw new Error('a validating webhook can change nothing');
      }
      // What can't be written, is a fault as well.
      writeAdmissionReview(review.uid, decision);
      return decision;
    } catch (error) {
      if (signal.aborted) throw error;
      this.#log('error', 'Review failed', review, { error });
      return { outcome: 'failed' };
    }
  }

  #send(review: AdmissionRequest, answer: ReviewAnswer): void {
    const outcome = outcomeOf(answer);
    this.#log(outcome === 'allowed' ? 'debug' : 'info', 'Review answered', review, {
      outcome,
      ...(answer.outcome === 'refused' ? { reason: answer.reason } : {}),
      ...(answer.outcome === 'could-not-check' ? { dependency: answer.dependency } : {}),
    });
    this.#sendReview(review.uid, answer);
  }

  #end(thrown: unknown, review: AdmissionRequest | undefined): void {
    const { path, writeAudit, logger } = this.#options;
    if (thrown instanceof OversizeReviewError && thrown.uid !== undefined) {
      logger.info('Review is too large', { path, requestId: thrown.uid, detail: thrown.message });
      this.#sendReview(thrown.uid, { outcome: 'oversize', text: thrown.message });
    } else if (thrown instanceof OversizeReviewError) {
      this.#refuse({ status: 413, text: thrown.message, outcome: 'oversize' });
    } else if (thrown instanceof ReviewOverloadError) {
      this.#refuse(OVERLOADED);
    } else if (thrown instanceof MalformedReviewError) {
      this.#refuse({ status: 400, text: thrown.message, outcome: 'malformed' });
    } else if (this.#response.destroyed) {
      this.#count('aborted');
      if (review !== undefined) this.#log('warn', 'Review was given up by the API server', review, {});
    } else if (!(thrown instanceof ReviewOverError)) {
      // Nothing throws here that we know of.
      logger.error('Webhook failed', { path, requestId: review?.uid, error: thrown });
      if (review === undefined) this.#refuse({ status: 500, text: 'Kerbridge failed', outcome: 'malformed' });
      else this.#sendReview(review.uid, { outcome: 'failed' });
    } else if (review === undefined) {
      this.#refuse({ status: 503, text: 'The review took too long to arrive', outcome: 'malformed' });
    } else {
      const answer = couldNotCheck('time');
      // There is no time to wait for it.
      const entry = this.#auditEntryOf(review, answer);
      if (entry !== undefined) writeAudit(entry).catch(() => undefined);
      this.#send(review, answer);
    }
  }

  #sendReview(uid: string, answer: ReviewAnswer): void {
    const { path, metrics, clock, letAllThrough = false } = this.#options;
    this.#count(outcomeOf(answer));
    metrics.admissionReviewDuration.observe({ route: `/${path}` }, (clock.uptime() - this.#startedAt) / 1000);
    const body = Buffer.from(
      writeAdmissionReview(
        uid,
        letAllThrough && answer.outcome !== 'allowed' ? { outcome: 'allowed' } : answer,
      ),
    );
    const response = this.#response;
    response.statusCode = 200;
    response.setHeader('Content-Type', 'application/json');
    response.setHeader('Content-Length', body.length);
    response.end(body);
  }

  #refuse({ status, text, outcome }: Unanswerable): void {
    this.#count(outcome);
    this.#options.logger.warn('Review refused unread', { path: this.#options.path, status, outcome, text });
    sendText(this.#response, status, text);
  }

  #count(outcome: ReviewOutcome | Unread): void {
    this.#options.counts.inc(`${this.#options.path} ${outcome}`);
  }

  #log(
    level: 'debug' | 'info' | 'warn' | 'error',
    message: string,
    review: AdmissionRequest,
    fields: Readonly<Record<string, unknown>>,
  ): void {
    const { logger, path, clock } = this.#options;
    const durationMs = Math.round(clock.uptime() - this.#startedAt);
    logger[level](message, {
      path,
      requestId: review.uid,
      durationMs,
      ...reviewedObject(review),
      ...fields,
    });
  }
}
