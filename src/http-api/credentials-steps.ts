import type {
  AuthenticatedPod,
  AuthenticatePod,
  AuthenticationResult,
} from '../authentication/authentication-result.ts';
import type { CredentialsResult, GetCredentials } from '../delegation-tokens/credentials.ts';
import type { IdentifyUser, IdentityResult } from '../identity/identity-result.ts';
import type { Metrics } from '../observability/metrics.ts';
import type { IssuedCredentials } from './credentials-document.ts';
import { failureFields } from './failure-fields.ts';
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
import type { PreparedCredentials, PreparedResult } from './prepared-credentials.ts';
import type { Problem } from './problem.ts';
import type { LastLine, RequestRecord } from './request-record.ts';

/** What each step of `GET /v1/credentials` asks. */
export interface StepOptions {
  readonly authenticatePod: AuthenticatePod;
  readonly identifyUser: IdentifyUser;
  readonly getCredentials: GetCredentials;
  readonly metrics: Metrics;
  readonly random: Random;
}

/** Who calls, and which user that is. */
export interface CallerOptions extends Pick<
  StepOptions,
  'authenticatePod' | 'identifyUser' | 'metrics' | 'random'
> {
  readonly successes: Pick<Successes, 'authenticated' | 'identified'>;
}

/** With what belongs to the route: counts of what happens in every request, and what is prepared. */
export interface NotedOptions extends StepOptions {
  readonly successes: Successes;
  readonly prepared: PreparedCredentials;
}

export type Successes = ReturnType<typeof countSuccesses>;

export function countSuccesses({ authentications, identifications, credentials }: Metrics) {
  const ofOutcome = (outcome: string) => ({ outcome, reason: '' });
  return {
    authenticated: authentications.tallyBy<'authenticated'>(ofOutcome),
    identified: identifications.tallyBy<'identified'>(ofOutcome),
    credentials: credentials.tallyBy<CredentialsResult['outcome']>((outcome) => ({ outcome })),
  };
}

export interface Refused {
  readonly ok: false;
  readonly problem: Problem;
}
/** Each step can only refuse or go on, and notes in the record what it came to. */
export type Step<T> = { readonly ok: true; readonly value: T } | Refused;

export type Identified = Extract<IdentityResult, { readonly outcome: 'identified' }>;

export function noteAuthentication(
  result: AuthenticationResult,
  record: RequestRecord,
  { metrics, successes: { authenticated }, random }: Pick<CallerOptions, 'metrics' | 'successes' | 'random'>,
): Step<AuthenticatedPod> {
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
      authenticated.inc(outcome);
      record.last = lastLineOf(result.pod);
      record.pod = record.last.pod;
      return { ok: true, value: result.pod };
    }
  }
}

const lastLines = new WeakMap<AuthenticatedPod, LastLine>();

/** The same object for the same pod. */
function lastLineOf(pod: AuthenticatedPod): LastLine {
  const known = lastLines.get(pod);
  if (known !== undefined) return known;
  const { namespace, name, uid, serviceAccount } = pod;
  const made = { pod: { namespace, name, uid, serviceAccount }, common: undefined };
  lastLines.set(pod, made);
  return made;
}

export function identify(
  pod: AuthenticatedPod,
  doAs: string | undefined,
  record: RequestRecord,
  options: CallerOptions,
): Step<Identified> {
  if (doAs !== undefined) record.doAs = doAs;
  const result = options.identifyUser(pod, doAs);
  if (result.outcome !== 'identified') return refuseIdentity(result, record, options);
  options.successes.identified.inc(result.outcome);
  record.user = result.user;
  record.requester = result.requester;
  return { ok: true, value: result };
}

/** Asks again whether the caller may have it, without any I/O; undefined: they still may. */
export function refuseIfNoLonger(
  pod: AuthenticatedPod,
  doAs: string | undefined,
  record: RequestRecord,
  options: Pick<StepOptions, 'identifyUser' | 'metrics' | 'random'>,
): Refused | undefined {
  const still = options.identifyUser(pod, doAs);
  return still.outcome === 'identified'
    ? undefined
    : takeBack(refuseIdentity(still, record, options), record);
}

/** What was got for somebody who is refused after all was not handed out, and the audit must not look as if it was. */
function takeBack(refused: Refused, record: RequestRecord): Refused {
  record.cluster = undefined;
  record.kinds = undefined;
  record.sequenceNumbers = undefined;
  record.missing = undefined;
  return refused;
}

function refuseIdentity(
  result: Exclude<IdentityResult, Identified>,
  record: RequestRecord,
  { metrics, random }: Pick<StepOptions, 'metrics' | 'random'>,
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

/** Credentials with what is prepared of them. */
export interface Issued {
  readonly issued: IssuedCredentials;
  readonly prepared: PreparedResult;
}

export function noteCredentials(
  result: CredentialsResult,
  record: RequestRecord,
  { metrics, successes, random, prepared }: NotedOptions,
): Step<Issued> {
  if (result.outcome === 'issued' && result.tokens.length === 0) {
    metrics.credentials.inc({ outcome: 'nothing-issued' });
    record.cluster = result.cluster;
    record.missing = result.missing;
    record.dependency = 'hadoop';
    return refuse(record, 'failed', 'nothing-issued', nothingIssuedProblem(random));
  }
  successes.credentials.inc(result.outcome);
  if (result.outcome !== 'issued') {
    record.detail = result.name;
    return refuse(record, 'not-found', result.outcome, selectionProblem(result));
  }
  const known = prepared.of(result);
  record.outcome = result.outcome;
  record.cluster = result.cluster;
  record.kinds = known.kinds;
  record.sequenceNumbers = known.sequenceNumbers;
  if (result.missing.length > 0) record.missing = result.missing;
  return { ok: true, value: { issued: result, prepared: known } };
}

/** Counts that the credentials could not be had. */
export function noteFault(thrown: unknown, { metrics, random }: StepOptions): void {
  metrics.credentials.inc({ outcome: faultToProblem(thrown, random).outcome });
}

/** Notes for the log line why the request is refused, and hands on what the caller sees. */
export function refuse(record: RequestRecord, outcome: string, reason: string, problem: Problem): Refused {
  record.outcome = outcome;
  record.reason = reason;
  return { ok: false, problem };
}
