import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AuthenticatedPod } from '../authentication/authentication-result.ts';
import { andThen, isLater, type MaybeLater } from '../concurrency/at-once.ts';
import type { WriteAudit } from '../observability/audit-stream.ts';
import type { Clock } from '../time/clock.ts';
import { auditDecision } from './audit-decision.ts';
import { type CredentialsQuery, parseCredentialsQuery } from './credentials-query.ts';
import {
  countSuccesses,
  identify,
  type Issued,
  noteAuthentication,
  noteCredentials,
  noteFault,
  type NotedOptions,
  refuse,
  refuseIfNoLonger,
  type Step,
  type StepOptions,
} from './credentials-steps.ts';
import { matchesETag } from './etag.ts';
import {
  admitting,
  KeyedSlots,
  MAX_AUTHENTICATIONS,
  MAX_REQUESTS_PER_POD,
  Place,
  PodPlaces,
  Slots,
} from './limits.ts';
import { negotiateType, TYPES } from './negotiate-type.ts';
import {
  type CredentialsType,
  type PreparationOptions,
  type PreparedBody,
  PreparedCredentials,
} from './prepared-credentials.ts';
import { invalidRequest, methodNotAllowed, notAcceptable, type Problem } from './problem.ts';
import { refuseThrown } from './refuse-thrown.ts';
import type { RequestRecord } from './request-record.ts';
import { sendCredentials, sendProblemOf } from './send-credentials.ts';

export interface CredentialsRouteOptions extends StepOptions, PreparationOptions {
  /** IP address of the caller; undefined if it can't be told. */
  readonly sourceAddressOf: (request: IncomingMessage) => string | undefined;
  /** Each decision goes here before the caller hears of it. */
  readonly writeAudit: WriteAudit;
  readonly clock: Clock;
  /** How many requests of one namespace are under way at once. */
  readonly requestsPerNamespace: number;
  /** How many callers are checked at once; default {@link MAX_AUTHENTICATIONS}. */
  readonly maxAuthentications?: number;
}

export const CREDENTIALS_PATH = '/v1/credentials';
const METHODS = ['GET', 'HEAD'];

/** Ends the response, and never throws. */
export type CredentialsRoute = (
  request: IncomingMessage,
  response: ServerResponse,
  record: RequestRecord,
) => void;

/** One request and what it holds. */
interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly record: RequestRecord;
  /** Among those being checked. */
  readonly place: Place;
  /** Of its pod and namespace. */
  readonly places: PodPlaces;
}

type RouteOptions = CredentialsRouteOptions & NotedOptions;

export interface Decided extends Issued {
  readonly status: 200 | 304;
  readonly type: CredentialsType;
  readonly body: PreparedBody;
  readonly pod: AuthenticatedPod;
  readonly doAs: string | undefined;
}

export type Answer = Decided | { readonly problem: Problem };

/**
 * `GET /v1/credentials`: who calls, which user that is, that user's tokens. The steps are the same for who is known
 * from memory and who is not: the first are decided upon at once, with the others it waits where somebody has to be asked.
 */
export function createCredentialsRoute(given: CredentialsRouteOptions): CredentialsRoute {
  const options = {
    ...given,
    prepared: new PreparedCredentials(given),
    successes: countSuccesses(given.metrics),
  };
  const authentications = new Slots(options.maxAuthentications ?? MAX_AUTHENTICATIONS);
  const slots = {
    pods: new KeyedSlots(MAX_REQUESTS_PER_POD),
    namespaces: new KeyedSlots(options.requestsPerNamespace),
  };
  return (request, response, record) => {
    record.route = CREDENTIALS_PATH;
    const place = new Place(authentications);
    const exchange: Exchange = { request, response, record, place, places: new PodPlaces(slots) };
    const answer = prepareAnswer(exchange, options);
    if (isLater(answer)) {
      record.watch();
      void answer.then((later) => finish(later, exchange, options));
    } else {
      void finish(answer, exchange, options);
    }
  };
}

/** Never throws, never rejects. */
function prepareAnswer(exchange: Exchange, options: RouteOptions): MaybeLater<Answer> {
  const refuseFault = (thrown: unknown): Answer => ({
    problem: refuseThrown(thrown, exchange.record, options.random),
  });
  try {
    const decided = andThen(decide(exchange, options), toAnswer);
    return isLater(decided) ? decided.catch(refuseFault) : decided;
  } catch (thrown) {
    return refuseFault(thrown);
  }
}

const toAnswer = (step: Step<Decided>): Answer => (step.ok ? step.value : step);

function decide(exchange: Exchange, options: RouteOptions): MaybeLater<Step<Decided>> {
  const { request, record } = exchange;
  record.sourceAddress = options.sourceAddressOf(request);
  // check: method-allowed
  if (!METHODS.includes(request.method ?? '')) {
    return refuse(record, 'method-not-allowed', 'method', methodNotAllowed(METHODS.join(', ')));
  }
  const type = negotiateType(request);
  // check: type-acceptable
  if (type === undefined) return refuse(record, 'invalid-request', 'accept', notAcceptable(TYPES));
  const query = readQuery(request, record);
  // check: query-well-formed
  if (!query.ok) return query;
  const wanted: Wanted = { ...query.value, type };
  return andThen(authenticate(exchange, options), (pod) =>
    pod.ok ? handOut(pod.value, wanted, exchange, options) : pod,
  );
}

interface Wanted extends CredentialsQuery {
  readonly type: CredentialsType;
}

function readQuery(request: IncomingMessage, record: RequestRecord): Step<CredentialsQuery> {
  const url = request.url ?? '';
  const start = url.indexOf('?');
  const parsed = parseCredentialsQuery(start === -1 ? '' : url.slice(start + 1));
  if (parsed.ok) return { ok: true, value: parsed.query };
  record.detail = parsed.problem;
  return refuse(record, 'invalid-request', 'query', invalidRequest(parsed.problem));
}

function authenticate(
  { record, place, places }: Exchange,
  options: RouteOptions,
): MaybeLater<Step<AuthenticatedPod>> {
  const result = options.authenticatePod(
    { authorization: record.authorization.reveal(), sourceAddress: record.sourceAddress },
    // Without the caller's signal: what was begun for them goes on when they leave, and so do the places it has.
    admitting(place, places),
  );
  // Who is known at once needs none.
  return isLater(result)
    ? result.finally(() => place.leave()).then((later) => noteAuthentication(later, record, options))
    : noteAuthentication(result, record, options);
}

/** To an authenticated pod. */
function handOut(
  pod: AuthenticatedPod,
  wanted: Wanted,
  exchange: Exchange,
  options: RouteOptions,
): MaybeLater<Step<Decided>> {
  const { request, record } = exchange;
  const { selection, doAs, format, type } = wanted;
  const identified = identify(pod, doAs, record, options);
  if (!identified.ok) return identified;
  const { user: owner, stampedUser } = identified.value;
  const { namespace, uid: podUid } = pod;

  const describe = (credentials: Step<Issued>): Step<Decided> => {
    if (!credentials.ok) return credentials;
    const { issued, prepared } = credentials.value;
    const body = prepared.body(owner, type, format);
    const status = matchesETag(request.headers['if-none-match'], body.etag) ? 304 : 200;
    return { ok: true, value: { status, type, body, pod, doAs, issued, prepared } };
  };

  const result = options.getCredentials({ owner, stampedUser, namespace, podUid, selection });
  if (!isLater(result)) return describe(noteCredentials(result, record, options));
  return result.then(
    (later) => {
      const credentials = noteCredentials(later, record, options);
      if (!credentials.ok) return credentials;
      // Hadoop may have taken its time: who was revoked meanwhile, or whom the rules no longer let, gets nothing any more.
      const refusedSince = refuseIfNoLonger(pod, doAs, record, options);
      // check: still-identified
      if (refusedSince !== undefined) return refusedSince;
      return describe(credentials);
    },
    (thrown: unknown) => {
      noteFault(thrown, options);
      throw thrown;
    },
  );
}

/** Records the decision before anybody hears of it, then answers. Never rejects. */
async function finish(decided: Answer, exchange: Exchange, options: RouteOptions): Promise<void> {
  const { response, record, place, places } = exchange;
  let answer = decided;
  try {
    const unrecorded = await auditDecision(record, madeOf(answer), options);
    // check: audit-written
    if (unrecorded !== undefined) answer = { problem: unrecorded };
    // The audit may have taken its time too. A second line says how it ended.
    const refused =
      'problem' in answer ? undefined : refuseIfNoLonger(answer.pod, answer.doAs, record, options);
    // check: identified-after-audit
    if (refused !== undefined)
      answer = { problem: (await auditDecision(record, refused.problem, options)) ?? refused.problem };
    if (record.isAbandoned) record.report('aborted');
    else if ('problem' in answer) sendProblemOf(response, record, answer.problem);
    else sendCredentials(exchange, answer, options);
  } catch (thrown) {
    const problem = refuseThrown(thrown, record, options.random);
    if (response.headersSent) response.destroy();
    else sendProblemOf(response, record, problem);
  } finally {
    place.leave();
    places.leave();
  }
}

const madeOf = (answer: Answer): Pick<Problem, 'status' | 'code'> =>
  'problem' in answer ? answer.problem : answer.status === 304 ? NOT_MODIFIED : OK;

const OK = { status: 200, code: 'ok' };
const NOT_MODIFIED = { status: 304, code: 'not-modified' };
