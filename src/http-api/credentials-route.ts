import type { Request, Response } from 'express';
import type { AuthenticatePod, AuthenticatedPod } from '../authentication/authentication-result.ts';
import type { GetCredentials } from '../delegation-tokens/credentials.ts';
import { TokenServiceError } from '../delegation-tokens/token-service.ts';
import type { IdentifyUser, IdentityResult } from '../identity/identity-result.ts';
import type { WriteAudit } from '../observability/audit-stream.ts';
import type { Metrics } from '../observability/metrics.ts';
import type { Clock } from '../time/clock.ts';
import { auditDecision } from './audit-decision.ts';
import type { IssuedCredentials } from './credentials-document.ts';
import { credentialsHeaders } from './credentials-headers.ts';
import { type CredentialsFormat, type CredentialsQuery, parseCredentialsQuery } from './credentials-query.ts';
import { matchesETag } from './etag.ts';
import { failureFields } from './failure-fields.ts';
import { KeyedSlots, MAX_AUTHENTICATIONS, MAX_REQUESTS_PER_POD, Place, PodPlaces, Slots } from './limits.ts';
import {
  authenticationProblem,
  couldNotAuthenticateProblem,
  couldNotIdentifyProblem,
  faultToProblem,
  identityProblem,
  limitedProblem,
  nothingIssuedProblem,
  overloadedProblem,
  type Random,
  selectionProblem,
} from './outcome-to-status.ts';
import { invalidRequest, methodNotAllowed, notAcceptable, type Problem } from './problem.ts';
import { documentOf, etagOf, FILE_TYPE, fileOf, JSON_TYPE, type Representation } from './representation.ts';
import { answerProblem, recordOf, type RequestRecord } from './request-record.ts';

export interface CredentialsRouteOptions {
  readonly authenticatePod: AuthenticatePod;
  readonly identifyUser: IdentifyUser;
  readonly getCredentials: GetCredentials;
  /** The bytes of a Hadoop credentials file with these tokens. */
  readonly encodeCredentials: (issued: IssuedCredentials, format: CredentialsFormat) => Uint8Array;
  /** Each decision goes here before the caller hears of it. */
  readonly writeAudit: WriteAudit;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly random: Random;
  /** How many requests of one namespace are under way at once. */
  readonly requestsPerNamespace: number;
  /** How many callers are checked at once; default {@link MAX_AUTHENTICATIONS}. */
  readonly maxAuthentications?: number;
  /** Random, one per process: an ETag must not let anybody compare what they guess with a token's bytes. */
  readonly etagKey: Uint8Array;
}

const TYPES = [JSON_TYPE, FILE_TYPE];
const METHODS = ['GET', 'HEAD'];

interface Refused {
  readonly ok: false;
  readonly problem: Problem;
}
type Step<T> = { readonly ok: true; readonly value: T } | Refused;

/** `GET /v1/credentials`: who calls, which user that is, that user's tokens. Each step can only refuse or go on. */
export function createCredentialsRoute(options: CredentialsRouteOptions) {
  const authentications = new Slots(options.maxAuthentications ?? MAX_AUTHENTICATIONS);
  const slots = {
    pods: new KeyedSlots(MAX_REQUESTS_PER_POD),
    namespaces: new KeyedSlots(options.requestsPerNamespace),
  };
  return async (request: Request, response: Response): Promise<void> => {
    const places = new PodPlaces(slots);
    try {
      await answerRequest(request, response, { authentications, places }, options);
    } finally {
      places.leave();
    }
  };
}

interface Limits {
  readonly authentications: Slots;
  readonly places: PodPlaces;
}

async function answerRequest(
  request: Request,
  response: Response,
  limits: Limits,
  options: CredentialsRouteOptions,
): Promise<void> {
  const record = recordOf(response);
  response.setHeader('Vary', 'Accept, Authorization');
  const answer = await auditAnswer(await prepareAnswer(request, record, limits, options), record, options);
  if (record.signal.aborted) return;
  if ('problem' in answer) {
    answerProblem(response, record, answer.problem);
    return;
  }
  const { status, etag, representation, issued } = answer;
  response.setHeader('Cache-Control', 'no-store');
  response.setHeader('ETag', etag);
  for (const [name, value] of Object.entries(credentialsHeaders(issued, options.clock.now()))) {
    response.setHeader(name, value);
  }
  record.report(status);
  if (status === 304) {
    response.status(304).end();
    return;
  }
  response.setHeader('Content-Type', representation.type);
  response.setHeader('Content-Length', representation.body.length);
  response.end(representation.body);
}

const codeOf = (status: 200 | 304): string => (status === 304 ? 'not-modified' : 'ok');

interface Decided {
  readonly representation: Representation;
  readonly issued: IssuedCredentials;
  /** Asks again whether the caller may have it, without any I/O; undefined: they still may. */
  readonly confirm: () => Refused | undefined;
}

type Answer =
  (Decided & { readonly status: 200 | 304; readonly etag: string }) | { readonly problem: Problem };

/** Never rejects. */
async function prepareAnswer(
  request: Request,
  record: RequestRecord,
  limits: Limits,
  options: CredentialsRouteOptions,
): Promise<Answer> {
  // Caught here and not by Express, for which some rejections ("route") are no errors.
  try {
    const decided = await decide(request, record, limits, options);
    if (!decided.ok) return { problem: decided.problem };
    const { representation } = decided.value;
    const etag = etagOf(representation, options.etagKey);
    const status = matchesETag(request.headers['if-none-match'], etag) ? 304 : 200;
    return { ...decided.value, status, etag };
  } catch (thrown) {
    return { problem: refuseThrown(thrown, record, options.random) };
  }
}

/** Records the decision before anybody hears of it. @returns the answer, which may be another one after that */
async function auditAnswer(
  answer: Answer,
  record: RequestRecord,
  options: CredentialsRouteOptions,
): Promise<Answer> {
  const made = 'problem' in answer ? answer.problem : { status: answer.status, code: codeOf(answer.status) };
  const unrecorded = await auditDecision(record, made, options);
  // check: audit-written
  if (unrecorded !== undefined) return { problem: unrecorded };
  if ('problem' in answer) return answer;
  // The audit may have taken its time too. A second line says how it ended.
  const refused = answer.confirm();
  // check: identified-after-audit
  if (refused !== undefined)
    return { problem: (await auditDecision(record, refused.problem, options)) ?? refused.problem };
  return answer;
}

async function decide(
  request: Request,
  record: RequestRecord,
  { authentications, places }: Limits,
  options: CredentialsRouteOptions,
): Promise<Step<Decided>> {
  // check: method-allowed
  if (!METHODS.includes(request.method)) {
    return refuse(record, 'method-not-allowed', 'method', methodNotAllowed(METHODS.join(', ')));
  }
  const type = request.accepts(TYPES);
  // check: type-acceptable
  if (type === false) return refuse(record, 'invalid-request', 'accept', notAcceptable(TYPES));
  const query = readQuery(request, record);
  // check: query-well-formed
  if (!query.ok) return query;
  const { selection, doAs, format } = query.value;
  const place = new Place(authentications);
  const pod = await authenticate(record, { place, places }, options).finally(() => place.leave());
  if (!pod.ok) return pod;
  const owner = identify(pod.value, doAs, record, options);
  if (!owner.ok) return owner;
  const issued = await issue(
    { owner: owner.value, namespace: pod.value.namespace, selection },
    record,
    options,
  );
  if (!issued.ok) return issued;
  const confirm = (): Refused | undefined => {
    const still = options.identifyUser(pod.value, doAs);
    return still.outcome === 'identified'
      ? undefined
      : takeBack(refuseIdentity(still, record, options), record);
  };
  // Hadoop may have taken its time: who was revoked meanwhile, or whom the rules no longer let, gets nothing any more.
  const refusedSince = confirm();
  // check: still-identified
  if (refusedSince !== undefined) return refusedSince;
  const file = options.encodeCredentials(issued.value, format);
  const representation = type === FILE_TYPE ? fileOf(file) : documentOf(owner.value, issued.value, file);
  return { ok: true, value: { representation, issued: issued.value, confirm } };
}

/** What was got for somebody who is refused after all was not handed out, and the audit must not look as if it was. */
function takeBack(refused: Refused, record: RequestRecord): Refused {
  delete record.cluster;
  delete record.kinds;
  delete record.sequenceNumbers;
  delete record.missing;
  return refused;
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
  { place, places }: { readonly place: Place; readonly places: PodPlaces },
  { authenticatePod, metrics, random }: CredentialsRouteOptions,
): Promise<Step<AuthenticatedPod>> {
  const result = await authenticatePod(
    { authorization: record.authorization.reveal(), sourceAddress: record.sourceAddress },
    // Without the caller's signal: what was begun for them goes on when they leave, and so do the places it has.
    { admitCheck: () => place.take(), admitPod: (pod) => places.take(pod) },
  );
  const { outcome } = result;
  switch (outcome) {
    case 'could-not-check': {
      metrics.authentications.inc({ outcome, reason: result.dependency });
      if (result.cause !== undefined) record.error = result.cause;
      record.failure = failureFields(result.cause);
      record.dependency = result.dependency;
      if (result.pod !== undefined) record.pod = result.pod;
      const problem = couldNotAuthenticateProblem(result.dependency, random);
      return refuse(record, 'could-not-authenticate', result.dependency, problem);
    }
    case 'refused':
      metrics.authentications.inc({ outcome, reason: result.reason });
      if (result.detail !== undefined) record.detail = result.detail;
      if (result.pod !== undefined) record.pod = result.pod;
      return refuse(record, 'not-authenticated', result.reason, authenticationProblem(result.reason));
    case 'limited':
      if (result.limit === 'authentications') {
        record.refusedBy = 'too-many-authentications';
        return { ok: false, problem: overloadedProblem(random) };
      }
      metrics.authentications.inc({ outcome, reason: result.limit });
      metrics.requestsLimited.inc({ limit: result.limit });
      record.detail = `namespace ${result.namespace}`;
      return refuse(record, 'limited', result.limit, limitedProblem(random));
    case 'authenticated': {
      metrics.authentications.inc({ outcome, reason: '' });
      const { namespace, name, uid, serviceAccount } = result.pod;
      record.pod = { namespace, name, uid, serviceAccount };
      return { ok: true, value: result.pod };
    }
  }
}

function identify(
  pod: AuthenticatedPod,
  doAs: string | undefined,
  record: RequestRecord,
  options: CredentialsRouteOptions,
): Step<string> {
  if (doAs !== undefined) record.doAs = doAs;
  const result = options.identifyUser(pod, doAs);
  if (result.outcome !== 'identified') return refuseIdentity(result, record, options);
  options.metrics.identifications.inc({ outcome: result.outcome, reason: '' });
  record.user = result.user;
  return { ok: true, value: result.user };
}

function refuseIdentity(
  result: Exclude<IdentityResult, { readonly outcome: 'identified' }>,
  record: RequestRecord,
  { metrics, random }: CredentialsRouteOptions,
): Refused {
  const { outcome, detail } = result;
  if (detail !== undefined) record.detail = detail;
  if (outcome === 'refused') {
    metrics.identifications.inc({ outcome, reason: result.reason });
    return refuse(record, 'not-allowed', result.reason, identityProblem(result.reason));
  }
  const { dependency } = result;
  metrics.identifications.inc({ outcome, reason: dependency });
  record.dependency = dependency;
  return refuse(record, 'could-not-identify', dependency, couldNotIdentifyProblem(dependency, random));
}

async function issue(
  request: Parameters<GetCredentials>[0],
  record: RequestRecord,
  options: CredentialsRouteOptions,
): Promise<Step<IssuedCredentials>> {
  try {
    const result = await options.getCredentials(request);
    if (result.outcome === 'issued' && result.tokens.length === 0) {
      options.metrics.credentials.inc({ outcome: 'nothing-issued' });
      record.cluster = result.cluster;
      record.missing = result.missing;
      record.dependency = 'hadoop';
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
    options.metrics.credentials.inc({ outcome: faultToProblem(thrown, options.random).outcome });
    throw thrown;
  }
}

/** Notes for the log line why the request is refused, and hands on what the caller sees. */
function refuse(record: RequestRecord, outcome: string, reason: string, problem: Problem): Refused {
  record.outcome = outcome;
  record.reason = reason;
  return { ok: false, problem };
}

/** Notes a thrown error for the log line and says what the caller sees of it. */
export function refuseThrown(thrown: unknown, record: RequestRecord, random: Random): Problem {
  const { problem, outcome, dependency } = faultToProblem(thrown, random);
  if (dependency !== undefined) record.dependency = dependency;
  record.outcome = 'failed';
  record.reason = outcome;
  record.error = thrown;
  if (thrown instanceof TokenServiceError) record.failure = failureFields(thrown);
  return problem;
}
