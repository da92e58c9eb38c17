import type { TokenRefusal } from './authentication-result.ts';
import type { TokenFilterResult } from './token-claims.ts';

export type TokenRefused = Extract<TokenFilterResult, { outcome: 'refused' }>;

const MAX_QUOTED_LENGTH = 100;

export function refused(reason: TokenRefusal, detail?: string): TokenRefused {
  return { outcome: 'refused', reason, ...(detail === undefined ? {} : { detail }) };
}

/** For a `detail`: what an unverified token claims is anybody's text. */
export function quote(claimed: string): string {
  return JSON.stringify(claimed.slice(0, MAX_QUOTED_LENGTH));
}
