import type {
  AuthenticationRefusal,
  CouldNotCheckDependency,
} from '../authentication/authentication-result.ts';
import type { CredentialsResult } from '../delegation-tokens/credentials.ts';
import { TokenLimitError } from '../delegation-tokens/token-limits.ts';
import { TokenServiceError, type TokenServiceFailure } from '../delegation-tokens/token-service.ts';
import { TokenStoreError } from '../delegation-tokens/token-store.ts';
import type { IdentityRefusal, IdentityResult } from '../identity/identity-result.ts';
import type { AuditDecision } from '../observability/audit-record.ts';
import { internalError, type Problem } from './problem.ts';

/**
 * The one mapping of every refusal and every fault to what the caller sees: tables over the unions, so that a new
 * member doesn't compile until somebody has decided. The operator reads the reason in the log; the caller gets a
 * status, a stable code and a constant title.
 *
 * A status never comes from an error's own `status`: Express and axios set it, and a NameNode's 401 would become ours.
 */

interface Seconds {
  readonly least: number;
  readonly most: number;
}

/** What a client should wait, drawn from this range so that many don't come back at once. */
const RETRY_AFTER: Seconds = { least: 2, most: 10 };
/** The kubelet writes a pod's address within moments of its start, and an init container has nothing else to do. */
const RETRY_AFTER_POD_ADDRESS: Seconds = { least: 1, most: 2 };

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
  'jwt-malformed': notAuthenticated,
  'jwt-algorithm-not-allowed': notAuthenticated,
  'jwt-signature-invalid': notAuthenticated,
  'jwt-issuer-differs': notAuthenticated,
  'jwt-audience-differs': notAuthenticated,
  'jwt-several-audiences': notAuthenticated,
  'jwt-without-expiry': notAuthenticated,
  'jwt-expired': notAuthenticated,
  'jwt-not-yet-valid': notAuthenticated,
  'jwt-lifetime-too-long': notAuthenticated,
  'jwt-without-pod': notAuthenticated,
  'service-account-token-invalid': notAuthenticated,
  'audience-not-returned': notAuthenticated,
  'not-a-service-account': notAuthenticated,
  'not-bound-to-a-pod': notAuthenticated,
  'review-differs-from-token': notAuthenticated,
  'pod-not-found': notAuthenticated,
  'pod-uid-differs': notAuthenticated,
  'pod-service-account-differs': notAuthenticated,
  'pod-finished': notAuthenticated,
  'pod-deleted': notAuthenticated,
  'source-address-unknown': notAuthenticated,
  'source-address-differs': notAuthenticated,
};

const overloaded: Problem = { status: 503, code: 'overloaded', title: 'Too many requests at once' };

const callerUnknown: Problem = {
  status: 503,
  code: 'authentication-unavailable',
  title: 'The caller cannot be checked now',
};

const COULD_NOT_AUTHENTICATE: Readonly<
  Record<CouldNotCheckDependency, { readonly problem: Problem; readonly retryAfter: Seconds }>
> = {
  'kubernetes-api': { problem: callerUnknown, retryAfter: RETRY_AFTER },
  'pod-address': { problem: callerUnknown, retryAfter: RETRY_AFTER_POD_ADDRESS },
  'kubernetes-api-queue': { problem: overloaded, retryAfter: RETRY_AFTER },
  'unknown-signing-keys': { problem: overloaded, retryAfter: RETRY_AFTER },
};

/** Not whose limit: the caller's own namespace has it, which is what the log names. */
const tooManyRequests: Problem = {
  status: 429,
  code: 'too-many-requests',
  title: 'Too many requests at once from this namespace',
};

const notAllowed: Problem = { status: 403, code: 'not-allowed', title: 'This pod gets no credentials' };

/** One code for every reason: which rule refused is between the operator and the log. */
const IDENTITY: Readonly<Record<IdentityRefusal, Problem>> = {
  'no-stamp': notAllowed,
  'stamp-unsigned': notAllowed,
  'stamp-malformed': notAllowed,
  'stamp-of-other-type': notAllowed,
  'stamp-key-unknown': notAllowed,
  'stamp-forged': notAllowed,
  'stamp-version-unknown': notAllowed,
  'stamp-of-other-pod': notAllowed,
  'stamp-untimely': notAllowed,
  'stamp-user-differs': notAllowed,
  'user-name-invalid': notAllowed,
  'user-outside-namespace-rule': notAllowed,
  'do-as-not-allowed': notAllowed,
  'user-denied': notAllowed,
  'user-revoked': notAllowed,
  'pod-revoked': notAllowed,
};

type IdentityDependency = Extract<IdentityResult, { readonly outcome: 'could-not-check' }>['dependency'];

const userUnknown: Problem = {
  status: 503,
  code: 'identity-unavailable',
  title: 'The user of this pod cannot be determined now',
};

const COULD_NOT_IDENTIFY: Readonly<Record<IdentityDependency, Problem>> = {
  'stamp-keys': userUnknown,
  revocations: userUnknown,
  'user-pattern': userUnknown,
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

/** With what could not be asked; undefined: it was asked, and this is its answer. */
const TOKEN_SERVICE: Readonly<
  Record<TokenServiceFailure, { readonly problem: Problem; readonly dependency: string | undefined }>
> = {
  'not-active': { problem: hadoopUnavailable, dependency: 'hadoop' },
  unreachable: { problem: hadoopUnavailable, dependency: 'hadoop' },
  'safe-mode': { problem: hadoopUnavailable, dependency: 'hadoop' },
  overloaded: { problem: overloaded, dependency: 'hadoop-queue' },
  // Trouble with our own keytab, clock or KDC says nothing about the caller: could not check, worth another try.
  authentication: {
    problem: {
      status: 503,
      code: 'kerberos-unavailable',
      title: 'Kerberos authentication to Hadoop fails now',
    },
    dependency: 'kerberos',
  },
  denied: {
    problem: { status: 502, code: 'hadoop-denied', title: 'Hadoop refuses to issue the token' },
    dependency: undefined,
  },
  'wrong-token': { problem: hadoopError, dependency: undefined },
  'invalid-token': { problem: hadoopError, dependency: undefined },
  'bad-request': { problem: hadoopError, dependency: undefined },
};

export function authenticationProblem(reason: AuthenticationRefusal): Problem {
  return AUTHENTICATION[reason];
}

export function couldNotAuthenticateProblem(dependency: CouldNotCheckDependency, random: Random): Problem {
  const { problem, retryAfter } = COULD_NOT_AUTHENTICATE[dependency];
  return withRetryAfter(problem, random, retryAfter);
}

/** The caller's namespace has as many requests under way as it may. */
export function limitedProblem(random: Random): Problem {
  return withRetryAfter(tooManyRequests, random);
}

export function identityProblem(reason: IdentityRefusal): Problem {
  return IDENTITY[reason];
}

export function couldNotIdentifyProblem(dependency: IdentityDependency, random: Random): Problem {
  return withRetryAfter(COULD_NOT_IDENTIFY[dependency], random);
}

/** The decision could not be recorded, so it isn't acted upon, whatever it was. */
export function auditUnavailableProblem(random: Random): Problem {
  return withRetryAfter(
    { status: 503, code: 'audit-unavailable', title: 'The decision cannot be recorded now' },
    random,
  );
}

export function selectionProblem(
  result: Exclude<CredentialsResult, { readonly outcome: 'issued' }>,
): Problem {
  const field = ({ 'unknown-cluster': 'cluster', 'unknown-kind': 'kind' } as const)[result.outcome];
  const title = field === 'cluster' ? 'No such cluster' : 'No such kind of token in this cluster';
  return { status: 404, code: result.outcome, title, unknown: { field, name: result.name } };
}

/** As many delegation tokens live as may; some end by themselves. */
const tooManyTokens: Problem = {
  status: 429,
  code: 'too-many-tokens',
  title: 'There are as many delegation tokens as there may be',
};

/** What was issued can't be recorded, or what is recorded can't be read. */
const tokenStoreUnavailable: Problem = {
  status: 503,
  code: 'token-store-unavailable',
  title: 'The records of tokens cannot be used now',
};

export interface Fault {
  readonly problem: Problem;
  /** A TokenServiceFailure or a word of ours: bounded, fit for a metric. */
  readonly outcome: TokenServiceFailure | 'token-store' | 'token-limit' | 'internal';
  /** What could not be asked, if that is the fault. */
  readonly dependency: string | undefined;
}

/** Refused by a limit of ours, before anybody was asked anything. */
export function overloadedProblem(random: Random): Problem {
  return withRetryAfter(overloaded, random);
}

/** Hadoop could not be asked about a token. */
export function hadoopUnavailableProblem(random: Random): Problem {
  return withRetryAfter(hadoopUnavailable, random);
}

/** Every kind was optional and none could be had: a file without a token would only replace a good one. */
export function nothingIssuedProblem(random: Random): Problem {
  return withRetryAfter(hadoopUnavailable, random);
}

/** Anything thrown. What is no error of the core is a bug of ours, whatever its properties say. */
export function faultToProblem(thrown: unknown, random: Random): Fault {
  if (thrown instanceof TokenServiceError) {
    // Without a ticket Hadoop was not asked: to look there would lead the operator astray.
    const blamed = thrown.dependency === 'kerberos' ? 'authentication' : thrown.failure;
    const { problem, dependency } = TOKEN_SERVICE[blamed];
    return { problem: withRetryAfter(problem, random), outcome: thrown.failure, dependency };
  }
  if (thrown instanceof TokenStoreError) {
    const problem = withRetryAfter(tokenStoreUnavailable, random);
    return { problem, outcome: 'token-store', dependency: 'token-store' };
  }
  if (thrown instanceof TokenLimitError) {
    return { problem: withRetryAfter(tooManyTokens, random), outcome: 'token-limit', dependency: undefined };
  }
  return { problem: internalError, outcome: 'internal', dependency: undefined };
}

/** The word for a status in the audit. */
export function decisionOf(status: number): AuditDecision {
  switch (status) {
    case 200:
    case 304:
      return 'allowed';
    case 401:
    case 403:
      return 'refused';
    case 429:
      return 'limited';
    case 503:
      return 'could-not-check';
    default:
      return status >= 500 ? 'failed' : 'malformed';
  }
}

function withRetryAfter(problem: Problem, random: Random, { least, most } = RETRY_AFTER): Problem {
  if (problem.status !== 503 && problem.status !== 429) return problem;
  const seconds = least + Math.floor(random() * (most - least + 1));
  return { ...problem, headers: { ...problem.headers, 'Retry-After': String(seconds) } };
}
