import { BoundedWeakMap } from '../concurrency/bounded-weak-map.ts';
import type { CredentialsResult, Refresh } from './credentials.ts';
import type { CachedToken } from './token-cache.ts';

type Issued = Extract<CredentialsResult, { readonly outcome: 'issued' }>;

/** Results remembered; past this many new ones all are forgotten, and made again as they are asked for. */
export const MAX_RESULTS = 2_048;
/** Of one token: a token of a cluster with several sources can be asked for with others or alone. */
const MAX_OF_TOKEN = 4;
const NOTHING_MISSING: Issued['missing'] = Object.freeze([]);

/**
 * One result for the same tokens, so that whoever prepares something of it (bytes, an ETag) need do so only once. Beside
 * the token, and gone with it.
 */
export class IssuedResults {
  readonly #ofFirstToken = new BoundedWeakMap<CachedToken, Issued[]>(MAX_RESULTS);

  /** @param tokens all that were asked for, at least one */
  of(cluster: string, tokens: readonly CachedToken[]): Issued {
    const [first] = tokens;
    const refresh = earliest(tokens.map(refreshOf));
    if (first === undefined || refresh === undefined) throw new RangeError('a result without a token');
    const known = this.#ofFirstToken.get(first) ?? [];
    const same = known.find((each) => isSame(each.tokens, tokens));
    if (same !== undefined) return same;
    const made: Issued = { outcome: 'issued', cluster, tokens, missing: NOTHING_MISSING, refresh };
    this.#ofFirstToken.set(first, [made, ...known.slice(0, MAX_OF_TOKEN - 1)]);
    return made;
  }
}

/** The same objects: a token that was renewed is another one. Their sources, and so the cluster, are in them. */
function isSame(some: readonly unknown[], others: readonly unknown[]): boolean {
  return some.length === others.length && some.every((each, index) => each === others[index]);
}

export const refreshOf = ({ issuedAt, reusePeriodMs }: CachedToken): Refresh => ({
  since: issuedAt,
  periodMs: reusePeriodMs,
});

/** Undefined for none. */
export function earliest(refreshes: readonly Refresh[]): Refresh | undefined {
  return refreshes.reduce<Refresh | undefined>(
    (first, each) => (first === undefined || endOf(each) < endOf(first) ? each : first),
    undefined,
  );
}

const endOf = ({ since, periodMs }: Refresh): number => since + periodMs;
