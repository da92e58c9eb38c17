import { type DelegationToken, TokenServiceError } from './token-service.ts';

/** A token may live for ever (`maxDate` is Long.MAX_VALUE on some servers); a file in a pod should not. */
const MAX_PERIOD_MS = 7 * 24 * 3600 * 1000;

/**
 * How long a token is given to new holders before they get the next one, in ms from its issue: a seventh of its
 * greatest life, so that every holder starts with some six sevenths of it.
 *
 * Only differences of the server's own times count, so the two clocks need not agree. Throws TokenServiceError
 * `wrong-token` for a token that was dead when it was issued.
 */
export function reusePeriodMs(token: Pick<DelegationToken, 'issueDate' | 'maxDate'>): number {
  const maximumLifeMs = Number(token.maxDate - token.issueDate);
  if (maximumLifeMs <= 0) {
    throw new TokenServiceError('wrong-token', 'the server issued a token that had expired already', {
      fix: 'Check the token life times of the server (dfs.namenode.delegation.token.*) and its clock.',
    });
  }
  return Math.floor(Math.min(maximumLifeMs / 7, MAX_PERIOD_MS));
}

/**
 * Up to nine tenths of the period, because holders are told to come back between nine and eleven tenths of it (see
 * `createGetCredentials`): whoever does finds a new token, never the old one again.
 */
export function handedOutUntil(issuedAt: number, periodMs: number): number {
  return issuedAt + 0.9 * periodMs;
}
