import type { IncomingMessage } from 'node:http';
import type { RequestHandler } from 'express';
import type { RejectedOutcome, RejectedReport } from '../delegation-tokens/rejected-token.ts';
import type { WriteAudit } from '../observability/audit-stream.ts';
import { auditDecision } from './audit-decision.ts';
import {
  countSuccesses,
  identify,
  noteAuthentication,
  refuse,
  type Step,
  type StepOptions,
} from './credentials-steps.ts';
import { admitting, KeyedSlots, Place, PodPlaces, Slots } from './limits.ts';
import { hadoopUnavailableProblem } from './outcome-to-status.ts';
import { invalidRequest, methodNotAllowed, type Problem } from './problem.ts';
import { refuseThrown } from './refuse-thrown.ts';
import { answerProblem, recordOf, type RequestRecord } from './request-record.ts';

export const REJECTED_PATH = '/v1/credentials/rejected';

/** Reports are few: each pod makes one when its Hadoop client is refused. */
const MAX_REPORTS = { authentications: 50, ofPod: 2, ofNamespace: 50 };
/** `{"sequenceNumber":-2147483648}` with room for blanks. */
const MAX_BODY_BYTES = 256;
const INT32 = 2 ** 31;

export interface RejectedRouteOptions extends Pick<
  StepOptions,
  'authenticatePod' | 'identifyUser' | 'metrics' | 'random'
> {
  readonly reportRejected: (report: RejectedReport) => Promise<RejectedOutcome>;
  readonly writeAudit: WriteAudit;
}

/** What a reporter is told. */
type Told = 'alive' | 'replaced' | 'unknown';

/**
 * `POST /v1/credentials/rejected`: a pod's client says that Hadoop refused one of its tokens. Hadoop is asked (a renewal),
 * and a token that is dead is replaced with the next request. The caller is told of its own tokens only: a number that is
 * another pod's, or nobody's, is `unknown`.
 */
export function createRejectedRoute(options: RejectedRouteOptions): RequestHandler {
  const successes = countSuccesses(options.metrics);
  const authentications = new Slots(MAX_REPORTS.authentications);
  const slots = {
    pods: new KeyedSlots(MAX_REPORTS.ofPod),
    namespaces: new KeyedSlots(MAX_REPORTS.ofNamespace),
  };
  return async (request, response) => {
    const record = recordOf(response);
    const place = new Place(authentications);
    const places = new PodPlaces(slots);
    response.setHeader('Vary', 'Authorization');
    response.setHeader('Cache-Control', 'no-store');
    try {
      const answer = await answerTo(request, record, { ...options, successes, place, places });
      const made = answer.ok ? { status: 200, code: answer.value } : answer.problem;
      const unrecorded = await auditDecision(record, made, options);
      if (record.isAbandoned) return;
      // check: rejected-audit-written
      if (unrecorded !== undefined) {
        answerProblem(response, record, unrecorded);
        return;
      }
      if (!answer.ok) {
        answerProblem(response, record, answer.problem);
        return;
      }
      record.report(200);
      response.setHeader('Content-Type', 'application/json');
      response.end(JSON.stringify({ outcome: answer.value }));
    } finally {
      place.leave();
      places.leave();
    }
  };
}

interface Asking extends RejectedRouteOptions {
  readonly successes: ReturnType<typeof countSuccesses>;
  readonly place: Place;
  readonly places: PodPlaces;
}

/** Never rejects. */
async function answerTo(
  request: IncomingMessage,
  record: RequestRecord,
  asking: Asking,
): Promise<Step<Told>> {
  try {
    return await decide(request, record, asking);
  } catch (thrown) {
    return { ok: false, problem: refuseThrown(thrown, record, asking.random) };
  }
}

async function decide(request: IncomingMessage, record: RequestRecord, asking: Asking): Promise<Step<Told>> {
  const { metrics, random, place, places } = asking;
  // check: rejected-method
  if (request.method !== 'POST') {
    return refuse(record, 'method-not-allowed', 'method', methodNotAllowed('POST'));
  }
  const sequenceNumber = parseReport(await readBody(request));
  // check: rejected-report-well-formed
  if (sequenceNumber === undefined) {
    return refuse(record, 'invalid-request', 'body', malformedReport);
  }
  const result = await asking.authenticatePod(
    { authorization: record.authorization.reveal(), sourceAddress: record.sourceAddress },
    admitting(place, places),
  );
  // Before Hadoop is asked, which may hang: then only its own namespace waits with it.
  place.leave();
  const authenticated = noteAuthentication(result, record, asking);
  // check: rejected-authenticated
  if (!authenticated.ok) return authenticated;
  const pod = authenticated.value;
  const identified = identify(pod, undefined, record, asking);
  // check: rejected-identified
  if (!identified.ok) return identified;
  record.sequenceNumbers = [sequenceNumber];
  const { stampedUser } = identified.value;
  const { namespace, uid: podUid } = pod;
  const outcome = await asking.reportRejected({ namespace, podUid, stampedUser, sequenceNumber });
  metrics.delegationTokenRejections.inc({ outcome: outcome === 'dead' ? 'replaced' : outcome });
  if (outcome === 'unanswered') {
    record.dependency = 'hadoop';
    return refuse(record, 'failed', 'unanswered', hadoopUnavailableProblem(random));
  }
  record.outcome = 'reported';
  record.reason = outcome;
  return { ok: true, value: outcome === 'dead' ? 'replaced' : outcome };
}

const malformedReport: Problem = invalidRequest(
  'The body must be {"sequenceNumber":N} with the number of a delegation token',
);

/** Undefined: longer than any report. What is too long is still read, to its end or the server's limit of time. */
async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parseReport(body: string | undefined): number | undefined {
  if (body === undefined) return undefined;
  let report: unknown;
  try {
    report = JSON.parse(body);
  } catch {
    return undefined;
  }
  if (typeof report !== 'object' || report === null || Array.isArray(report)) return undefined;
  const entries = Object.entries(report);
  const [[name, value] = ['', undefined]] = entries;
  if (entries.length !== 1 || name !== 'sequenceNumber') return undefined;
  const isInt32 = Number.isInteger(value) && value >= -INT32 && value < INT32;
  return isInt32 ? Number(value) : undefined;
}
