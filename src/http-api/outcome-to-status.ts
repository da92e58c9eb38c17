import type { AuthenticationRefusal, AuthenticationResult } from '../authentication/authentication-result.ts';
import type { CredentialsResult } from '../delegation-tokens/credentials.ts';
import { TokenServiceError, type TokenServiceFailure } from '../delegation-tokens/token-service.ts';
import type { IdentityRefusal } from '../identity/identity-result.ts';
import { internalError, type Problem } from './problem.ts';

/**
 * The one mapping of every refusal and every fault to what the caller sees: tables over the unions, so that a new
 * member doesn't compile until somebody has decided. The operator reads the reason in the log; the caller gets a
 * status, a stable code and a constant title.
 *
 * A status never comes from an error's own `status`: Express and axios set it, and a NameNode's 401 would become ours.
 */

/** Seconds a client should wait, drawn from this range so that many don't come back at once. */
const RETRY_AFTER_SECONDS = { least: 2, most: 10 };

/** In [0, 1). */
export type Random = () => number;

const notAuthenticated: Problem = {
  status: 401,
  code: 'not-authenticated',
  title: 'Not authenticated',
  headers: { 'WWW-Authenticate': 'Bearer' },
};

/** One answer for every reason: a caller who is nobody learns nothing. */
const AUTHENTICATION: Readonly<Record<AuthenticationRefusal, Problem>> = {
  'no-bearer-token': notAuthenticated,
  'several-authorization-headers': notAuthenticated,
  'bearer-token-malformed': notAuthenticated,
  'service-account-token-invalid': notAuthenticated,
  'audience-not-returned': notAuthenticated,
  'not-a-service-account': notAuthenticated,
  'not-bound-to-a-pod': notAuthenticated,
  'pod-not-found': notAuthenticated,
  'pod-uid-differs': notAuthenticated,
  'pod-service-account-differs': notAuthenticated,
  'pod-finished': notAuthenticated,
  'pod-deleted': notAuthenticated,
};

type Dependency = Extract<AuthenticationResult, { readonly outcome: 'could-not-check' }>['dependency'];

const COULD_NOT_CHECK: Readonly<Record<Dependency, Problem>> = {
  'kubernetes-api': {
    status: 503,
    code: 'authentication-unavailable',
    title: 'The caller cannot be checked now',
  },
};

const notAllowed: Problem = { status: 403, code: 'not-allowed', title: 'This pod gets no credentials' };

/** One code for every reason: which rule refused is between the operator and the log. */
const IDENTITY: Readonly<Record<IdentityRefusal, Problem>> = {
  'no-stamp': notAllowed,
  'user-name-invalid': notAllowed,
  'user-denied': notAllowed,
  'do-as-not-allowed': notAllowed,
};

const hadoopUnavailable: Problem = {
  status: 503,
  code: 'hadoop-unavailable',
  title: 'Hadoop cannot be asked now',
};

const hadoopError: Problem = {
  status: 502,
  code: 'hadoop-error',
  title: 'Hadoop answered with something that cannot be used',
};

const TOKEN_SERVICE: Readonly<Record<TokenServiceFailure, Problem>> = {
  'not-active': hadoopUnavailable,
  unreachable: hadoopUnavailable,
  'safe-mode': hadoopUnavailable,
  // Trouble with our own keytab, clock or KDC says nothing about the caller: could not check, worth another try.
  authentication: {
    status: 503,
    code: 'kerberos-unavailable',
    title: 'Kerberos authentication to Hadoop fails now',
  },
  denied: { status: 502, code: 'hadoop-denied', title: 'Hadoop refuses to issue the token' },
  'wrong-token': hadoopError,
  'invalid-token': hadoopError,
  'bad-request': hadoopError,
};

export function authenticationProblem(reason: AuthenticationRefusal): Problem {
  return AUTHENTICATION[reason];
}

export function couldNotCheckProblem(dependency: Dependency, random: Random): Problem {
  return withRetryAfter(COULD_NOT_CHECK[dependency], random);
}

export function identityProblem(reason: IdentityRefusal): Problem {
  return IDENTITY[reason];
}

export function selectionProblem(
  result: Exclude<CredentialsResult, { readonly outcome: 'issued' }>,
): Problem {
  const field = ({ 'unknown-cluster': 'cluster', 'unknown-kind': 'kind' } as const)[result.outcome];
  const title = field === 'cluster' ? 'No such cluster' : 'No such kind of token in this cluster';
  return { status: 404, code: result.outcome, title, unknown: { field, name: result.name } };
}

export interface Fault {
  readonly problem: Problem;
  /** A TokenServiceFailure or `internal`: bounded, fit for a metric. */
  readonly outcome: TokenServiceFailure | 'internal';
}

/** Refused by a limit of ours, before anybody was asked anything. */
export function overloadedProblem(random: Random): Problem {
  return withRetryAfter({ status: 503, code: 'overloaded', title: 'Too many requests at once' }, random);
}

/** Every kind was optional and none could be had: a file without a token would only replace a good one. */
export function nothingIssuedProblem(random: Random): Problem {
  return withRetryAfter(hadoopUnavailable, random);
}

/** Anything thrown. What is not a {@link TokenServiceError} is a bug of ours, whatever its properties say. */
export function faultToProblem(thrown: unknown, random: Random): Fault {
  if (thrown instanceof TokenServiceError) {
    return { problem: withRetryAfter(TOKEN_SERVICE[thrown.failure], random), outcome: thrown.failure };
  }
  return { problem: internalError, outcome: 'internal' };
}

function withRetryAfter(problem: Problem, random: Random): Problem {
  if (problem.status !== 503) return problem;
  const { least, most } = RETRY_AFTER_SECONDS;
  const seconds = least + Math.floor(random() * (most - least + 1));
  return { ...problem, headers: { ...problem.headers, 'Retry-After': String(seconds) } };
}
