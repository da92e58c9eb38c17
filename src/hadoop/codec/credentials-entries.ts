import { CodecError } from './codec-error.ts';
import type { Token } from './token.ts';

/** The content of a credentials file. Order has no meaning to Hadoop, which keeps both in hash maps. */
export interface Credentials {
  /** The alias is by convention the token's service; most clients ignore it, KMS looks there first. */
  readonly tokens: readonly { readonly alias: string; readonly token: Token }[];
  readonly secrets: readonly { readonly alias: string; readonly value: Uint8Array }[];
}

/**
 * Tokens and secrets of one file together. A job has some tens at most; the smallest entry takes five bytes in the file
 * and, while it is read, 1.5 KB of heap, so a limit is what keeps a small file from becoming a large heap.
 */
export const ENTRIES_LIMIT = 512;

export function requireEntriesWithinLimit(count: number, offset: number): void {
  if (count > ENTRIES_LIMIT) {
    throw new CodecError(
      'too-many-entries',
      `credentials: ${count} tokens and secrets, at most ${ENTRIES_LIMIT}`,
      offset,
    );
  }
}

/** Gathers what a reader finds. Of two entries with one alias the last wins, at the place of the first, as in Java. */
export class CredentialsBuilder {
  readonly #tokens = new Map<string, Token>();
  readonly #secrets = new Map<string, Uint8Array>();

  setToken(alias: string, token: Token): void {
    this.#tokens.set(alias, token);
  }

  setSecret(alias: string, value: Uint8Array): void {
    this.#secrets.set(alias, value);
  }

  build(): Credentials {
    return {
      tokens: Array.from(this.#tokens, ([alias, token]) => ({ alias, token })),
      secrets: Array.from(this.#secrets, ([alias, value]) => ({ alias, value })),
    };
  }
}

/** Refuses what no reader would see whole. Throws CodecError `too-many-entries` or `duplicate-alias`. */
export function requireWritable(credentials: Credentials): void {
  requireEntriesWithinLimit(credentials.tokens.length + credentials.secrets.length, 0);
  refuseDuplicateAlias(credentials.tokens, 'token');
  refuseDuplicateAlias(credentials.secrets, 'secret');
}

function refuseDuplicateAlias(entries: readonly { readonly alias: string }[], what: string): void {
  const seen = new Set<string>();
  entries.forEach(({ alias }, index) => {
    if (seen.has(alias)) {
      throw new CodecError(
        'duplicate-alias',
        `credentials: ${what} ${index} has the alias of an earlier one`,
        0,
      );
    }
    seen.add(alias);
  });
}
