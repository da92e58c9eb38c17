import type {
  AuthenticateOperator,
  OperatorResult,
  ResourceAccess,
} from '../authentication/authenticate-operator.ts';
import type { ListedToken } from '../delegation-tokens/listed-token.ts';
import { Place, Slots } from './limits.ts';
import {
  authenticationProblem,
  couldNotAuthenticateProblem,
  overloadedProblem,
  type Random,
} from './outcome-to-status.ts';
import { invalidRequest, type Problem } from './problem.ts';
import { createTokensDocument, type TokensDocument } from './tokens-document.ts';
import { parseTokensQuery } from './tokens-query.ts';

/** The right that an operator needs, a resource that exists in RBAC only. */
export const LIST_TOKENS: ResourceAccess = { group: 'kerbridge.dev', resource: 'tokens', verb: 'list' };

/** Some 500 bytes each. */
export const MAX_LISTED_TOKENS = 1_000;

/**
 * Callers about whom the API server is being asked. Every pod can have a token for our audience, so few at once that a
 * flood of them takes next to nothing from the pods' own.
 */
export const MAX_OPERATOR_AUTHENTICATIONS = 4;

export interface TokensRouteOptions {
  readonly authenticateOperator: AuthenticateOperator;
  readonly listTokens: () => readonly ListedToken[];
  /** Name of this process among its replicas, for example that of its pod. */
  readonly replica: string;
  /** Default {@link MAX_LISTED_TOKENS}. */
  readonly maxTokens?: number;
}

export interface TokensRequest {
  /** Every `Authorization` header line, as received. */
  readonly authorization: readonly string[];
  /** What follows the `?`, undecoded. */
  readonly query: string;
  readonly signal: AbortSignal;
}

export type TokensResult =
  | { readonly outcome: 'listed'; readonly operator: string; readonly document: TokensDocument }
  | TokensRefusal;

export type TokensRefusal =
  /** `detail` names the parameter, and is fit for the caller. */
  | { readonly outcome: 'invalid-request'; readonly detail: string }
  | Exclude<OperatorResult, { readonly outcome: 'authorized' }>;

/** `GET /v1/tokens`: what this replica holds, for operators. Rejects only with the reason of an aborted signal. */
export type TokensRoute = (request: TokensRequest) => Promise<TokensResult>;

export function createTokensRoute(options: TokensRouteOptions): TokensRoute {
  const { authenticateOperator, listTokens, replica, maxTokens = MAX_LISTED_TOKENS } = options;
  const authentications = new Slots(MAX_OPERATOR_AUTHENTICATIONS);

  return async ({ authorization, query, signal }) => {
    const asked = parseTokensQuery(query);
    if (!asked.ok) return { outcome: 'invalid-request', detail: asked.problem };
    const place = new Place(authentications);
    const caller = await authenticateOperator(authorization, {
      signal,
      admitCheck: () => place.take(),
    }).finally(() => place.leave());
    // check: operator-authorized
    if (caller.outcome !== 'authorized') return caller;

    const { user, namespace } = asked.query;
    const tokens = listTokens().filter(
      (token) =>
        (user === undefined || token.owner === user) &&
        (namespace === undefined || token.namespace === namespace),
    );
    const document = createTokensDocument(replica, tokens, maxTokens);
    return { outcome: 'listed', operator: caller.operator, document };
  };
}

/** What the caller sees: as vague as for pods, the reason is in the audit line. */
export function tokensProblem(refusal: TokensRefusal, random: Random): Problem {
  switch (refusal.outcome) {
    case 'invalid-request':
      return invalidRequest(refusal.detail);
    case 'overloaded':
      return overloadedProblem(random);
    case 'not-authenticated':
      return authenticationProblem(refusal.reason);
    case 'not-authorized':
      return { status: 403, code: 'not-allowed', title: 'Not allowed' };
    case 'could-not-check':
      return couldNotAuthenticateProblem(refusal.dependency, random);
  }
}
