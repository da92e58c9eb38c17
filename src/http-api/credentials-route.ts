import { createHmac } from 'node:crypto';
import type { Request, Response } from 'express';
import type { AuthenticatePod, AuthenticatedPod } from '../authentication/authentication-result.ts';
import type { CredentialsResult, GetCredentials } from '../delegation-tokens/credentials.ts';
import { TokenServiceError } from '../delegation-tokens/token-service.ts';
import type { IdentifyUser } from '../identity/identity-result.ts';
import type { Metrics } from '../observability/metrics.ts';
import { matchesETag } from './etag.ts';
import { createCredentialsDocument } from './credentials-document.ts';
import { type CredentialsFormat, type CredentialsQuery, parseCredentialsQuery } from './credentials-query.ts';
import { failureFields } from './failure-fields.ts';
import { MAX_AUTHENTICATIONS, Slots } from './limits.ts';
import {
  authenticationProblem,
  couldNotCheckProblem,
  faultToProblem,
  identityProblem,
  nothingIssuedProblem,
  overloadedProblem,
  type Random,
  selectionProblem,
} from './outcome-to-status.ts';
import { invalidRequest, notAcceptable, type Problem } from './problem.ts';
import { answerProblem, recordOf, type RequestRecord } from './request-record.ts';

export type IssuedCredentials = Extract<CredentialsResult, { readonly outcome: 'issued' }>;

export interface CredentialsRouteOptions {
  readonly authenticatePod: AuthenticatePod;
  readonly identifyUser: IdentifyUser;
  readonly getCredentials: GetCredentials;
  /** The bytes of a Hadoop credentials file with these tokens. */
  readonly encodeCredentials: (issued: IssuedCredentials, format: CredentialsFormat) => Uint8Array;
  readonly metrics: Metrics;
  readonly random: Random;
  /** How many callers are checked at once; default {@link MAX_AUTHENTICATIONS}. */
  readonly maxAuthentications?: number;
  /** Random, one per process: an ETag must not let anybody compare what they guess with a token's bytes. */
  readonly etagKey: Uint8Array;
}

const JSON_TYPE = 'application/json';
const FILE_TYPE = 'application/octet-stream';
const TYPES = [JSON_TYPE, FILE_TYPE];

type Step<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problem: Problem };

/** `GET /v1/credentials`: who calls, which user that is, that user's tokens. Each step can only refuse or go on. */
export function createCredentialsRoute(options: CredentialsRouteOptions) {
  const authentications = new Slots(options.maxAuthentications ?? MAX_AUTHENTICATIONS);
  return async (request: Request, response: Response): Promise<void> => {
    const record = recordOf(response);
    response.setHeader('Vary', 'Accept, Authorization');
    // Caught here and not by Express, for which some rejections ("route") are no errors.
    const answer = await decide(request, record, authentications, options).catch((thrown: unknown) => ({
      ok: false as const,
      problem: refuseThrown(thrown, record, options.random),
    }));
    if (record.signal.aborted) return;
    if (!answer.ok) {
      answerProblem(response, record, answer.problem);
      return;
    }
    const { type, body, etagOf } = answer.value;
    const digest = createHmac('sha256', options.etagKey).update(etagOf).digest('base64url');
    const etag = etagOf === body ? `"${digest}"` : `W/"${digest}"`;
    response.setHeader('Cache-Control', 'no-store');
    response.setHeader('ETag', etag);
    if (matchesETag(request.headers['if-none-match'], etag)) {
      record.report(304);
      response.status(304).end();
      return;
    }
    record.report(200);
    response.setHeader('Content-Type', type);
    response.setHeader('Content-Length', body.length);
    response.end(body);
  };
}

async function decide(
  request: Request,
  record: RequestRecord,
  authentications: Slots,
  options: CredentialsRouteOptions,
): Promise<Step<Representation>> {
  const type = request.accepts(TYPES);
  if (type === false) return refuse(record, 'invalid-request', 'accept', notAcceptable(TYPES));
  const query = readQuery(request, record);
  if (!query.ok) return query;
  const { selection, doAs, format } = query.value;
  if (!authentications.take()) {
    record.refusedBy = 'too-many-authentications';
    return { ok: false, problem: overloadedProblem(options.random) };
  }
  const pod = await authenticate(record, options).finally(() => authentications.give());
  if (!pod.ok) return pod;
  const owner = identify(pod.value, doAs, record, options);
  if (!owner.ok) return owner;
  const issued = await issue(
    { owner: owner.value, namespace: pod.value.namespace, selection },
    record,
    options,
  );
  if (!issued.ok) return issued;
  const file = options.encodeCredentials(issued.value, format);
  const value = type === FILE_TYPE ? fileOf(file) : documentOf(owner.value, issued.value, file);
  return { ok: true, value };
}

interface Representation {
  readonly type: string;
  readonly body: Buffer;
  /** What two answers that may stand for each other have in common; the body itself makes a strong ETag. */
  readonly etagOf: Buffer;
}

function fileOf(file: Uint8Array): Representation {
  const body = Buffer.from(file);
  return { type: FILE_TYPE, body, etagOf: body };
}

/**
 * `refreshAfter` is spread anew in each answer, so the ETag is a weak one that leaves it out: who has the same tokens
 * has a date that is as good. Not so with a kind missing, when the date is that of the next try.
 */
function documentOf(owner: string, issued: IssuedCredentials, file: Uint8Array): Representation {
  const document = createCredentialsDocument(owner, issued, file);
  const { refreshAfter, ...lasting } = document;
  const etagOf = Buffer.from(JSON.stringify(issued.missing.length === 0 ? lasting : [lasting, refreshAfter]));
  return { type: JSON_TYPE, body: Buffer.from(JSON.stringify(document)), etagOf };
}

function readQuery(request: Request, record: RequestRecord): Step<CredentialsQuery> {
  const start = request.url.indexOf('?');
  const parsed = parseCredentialsQuery(start === -1 ? '' : request.url.slice(start + 1));
  if (parsed.ok) return { ok: true, value: parsed.query };
  record.detail = parsed.problem;
  return refuse(record, 'invalid-request', 'query', invalidRequest(parsed.problem));
}

async function authenticate(
  record: RequestRecord,
  { authenticatePod, metrics, random }: CredentialsRouteOptions,
): Promise<Step<AuthenticatedPod>> {
  const result = await authenticatePod(record.authorization.reveal(), { signal: record.signal });
  const { outcome } = result;
  if (outcome === 'could-not-check') {
    metrics.authentications.inc({ outcome, reason: result.dependency });
    record.error = result.cause;
    record.failure = failureFields(result.cause);
    const problem = couldNotCheckProblem(result.dependency, random);
    return refuse(record, 'could-not-authenticate', result.dependency, problem);
  }
  if (outcome === 'refused') {
    metrics.authentications.inc({ outcome, reason: result.reason });
    if (result.detail !== undefined) record.detail = result.detail;
    return refuse(record, 'not-authenticated', result.reason, authenticationProblem(result.reason));
  }
  metrics.authentications.inc({ outcome, reason: '' });
  record.pod = { namespace: result.pod.namespace, name: result.pod.name, uid: result.pod.uid };
  return { ok: true, value: result.pod };
}

function identify(
  pod: AuthenticatedPod,
  doAs: string | undefined,
  record: RequestRecord,
  { identifyUser, metrics }: CredentialsRouteOptions,
): Step<string> {
  if (doAs !== undefined) record.doAs = doAs;
  const result = identifyUser(pod, doAs);
  const { outcome } = result;
  if (outcome === 'refused') {
    metrics.identifications.inc({ outcome, reason: result.reason });
    if (result.detail !== undefined) record.detail = result.detail;
    return refuse(record, 'not-allowed', result.reason, identityProblem(result.reason));
  }
  metrics.identifications.inc({ outcome, reason: '' });
  record.user = result.user;
  return { ok: true, value: result.user };
}

async function issue(
  request: Parameters<GetCredentials>[0],
  record: RequestRecord,
  options: CredentialsRouteOptions,
): Promise<Step<IssuedCredentials>> {
  try {
    const result = await options.getCredentials(request, { signal: record.signal });
    if (result.outcome === 'issued' && result.tokens.length === 0) {
      options.metrics.credentials.inc({ outcome: 'nothing-issued' });
      record.cluster = result.cluster;
      record.missing = result.missing;
      return refuse(record, 'failed', 'nothing-issued', nothingIssuedProblem(options.random));
    }
    options.metrics.credentials.inc({ outcome: result.outcome });
    if (result.outcome !== 'issued') {
      record.detail = result.name;
      return refuse(record, 'not-found', result.outcome, selectionProblem(result));
    }
    record.outcome = result.outcome;
    record.cluster = result.cluster;
    record.kinds = [...new Set(result.tokens.map(({ source }) => source.kind))];
    record.sequenceNumbers = result.tokens.map(({ token }) => token.sequenceNumber);
    if (result.missing.length > 0) record.missing = result.missing;
    return { ok: true, value: result };
  } catch (thrown) {
    if (record.signal.aborted) options.metrics.credentials.inc({ outcome: 'aborted' });
    else options.metrics.credentials.inc({ outcome: faultToProblem(thrown, options.random).outcome });
    throw thrown;
  }
}

/** Notes for the log line why the request is refused, and hands on what the caller sees. */
function refuse(
  record: RequestRecord,
  outcome: string,
  reason: string,
  problem: Problem,
): { readonly ok: false; readonly problem: Problem } {
  record.outcome = outcome;
  record.reason = reason;
  return { ok: false, problem };
}

/** Notes a thrown error for the log line and says what the caller sees of it. */
export function refuseThrown(thrown: unknown, record: RequestRecord, random: Random): Problem {
  const { problem, outcome } = faultToProblem(thrown, random);
  record.outcome = 'failed';
  record.reason = outcome;
  record.error = thrown;
  if (thrown instanceof TokenServiceError) record.failure = failureFields(thrown);
  return problem;
}
