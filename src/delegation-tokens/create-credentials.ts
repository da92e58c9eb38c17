import type { Clock } from '../time/clock.ts';
import type {
  CredentialsRequest,
  CredentialsResult,
  CredentialsSelection,
  GetCredentials,
  TokenSource,
} from './credentials.ts';
import { earliest, IssuedResults, refreshOf } from './issued-results.ts';
import type { CachedToken, TokenCache, TokenRequest } from './token-cache.ts';
import { TokenServiceError } from './token-service.ts';
import { TokenStoreError } from './token-store.ts';

/** When to ask again for an optional kind that could not be had. */
export const RETRY_MISSING_MS = 300_000;

export interface CredentialsOptions {
  /** At least one. The cluster of the first is the default. */
  readonly sources: readonly TokenSource[];
  readonly cache: TokenCache;
  readonly clock: Clock;
}

/**
 * Gets all the tokens of one request, in parallel, in the order of the configured sources.
 *
 * A kind may have several sources (federated nameservices). A required kind is all of them: one that fails, fails the
 * request, at once. Of an optional kind the caller gets what there is, and a note if that is not all. A kind named both
 * ways is required. An empty list of kinds means the same as none: every kind of the cluster, except those named as optional.
 *
 * Throws a RangeError for sources that are empty or could be mistaken for each other.
 */
export function createGetCredentials(options: CredentialsOptions): GetCredentials {
  const { sources, cache, clock } = options;
  checkSources(sources);
  const select = createSelect(sources);
  const results = new IssuedResults();

  return (request, { signal } = {}) => {
    const selected = select(request.selection);
    if ('outcome' in selected) return selected;
    const known = selected.sources.map((source) => cache.recall(tokenRequest(source, request)));
    return known.every((token) => token !== undefined)
      ? results.of(selected.cluster, known)
      : getMissing(request, selected, known, signal);
  };

  async function getMissing(
    request: CredentialsRequest,
    { cluster, sources: wanted, required }: Selected,
    known: readonly (CachedToken | undefined)[],
    signal: AbortSignal | undefined,
  ): Promise<CredentialsResult> {
    const missing = new Map<string, string>();
    const get = async (
      source: TokenSource,
      knownToken: CachedToken | undefined,
    ): Promise<CachedToken | undefined> => {
      if (knownToken !== undefined) return knownToken;
      try {
        return await cache.get(tokenRequest(source, request), signal === undefined ? {} : { signal });
      } catch (error) {
        signal?.throwIfAborted();
        const isKnown = error instanceof TokenServiceError || error instanceof TokenStoreError;
        if (required.has(source.kind) || !isKnown) throw error;
        missing.set(source.kind, error.failure);
        return undefined;
      }
    };
    const all = await Promise.all(wanted.map((source, index) => get(source, known[index])));
    const tokens = all.filter((token) => token !== undefined);
    if (missing.size === 0) return results.of(cluster, tokens);
    const next = { since: clock.now(), periodMs: RETRY_MISSING_MS };
    return {
      outcome: 'issued',
      cluster,
      tokens,
      missing: [...missing].map(([kind, code]) => ({ kind, code })),
      refresh: earliest([next, ...tokens.map(refreshOf)]) ?? next,
    };
  }
}

const tokenRequest = (
  source: TokenSource,
  { owner, stampedUser, namespace, podUid }: CredentialsRequest,
): TokenRequest => ({ source, owner, stampedUser, namespace, podUid });

interface Selected {
  readonly cluster: string;
  readonly sources: readonly TokenSource[];
  /** The kinds that must be there. */
  readonly required: ReadonlySet<string>;
}

type Unknown = Extract<CredentialsResult, { readonly name: string }>;

/** What most ask for, everything of the first cluster, is worked out once. */
function createSelect(
  sources: readonly TokenSource[],
): (selection: CredentialsSelection) => Selected | Unknown {
  const select = (selection: CredentialsSelection): Selected | Unknown => {
    const cluster = selection.cluster ?? sources[0]?.cluster ?? '';
    const ofCluster = sources.filter((source) => source.cluster === cluster);
    if (ofCluster.length === 0) return { outcome: 'unknown-cluster', name: cluster };
    const { required, optional } = selectKinds(selection, ofCluster);
    for (const kind of [...required, ...optional]) {
      if (!ofCluster.some((source) => source.kind === kind)) return { outcome: 'unknown-kind', name: kind };
    }
    const wanted = ofCluster.filter(({ kind }) => required.has(kind) || optional.has(kind));
    return { cluster, sources: wanted, required };
  };
  const usual = select({});
  return (selection) => {
    const { cluster, kinds, optionalKinds } = selection;
    const isUsual = cluster === undefined && kinds === undefined && optionalKinds === undefined;
    return isUsual ? usual : select(selection);
  };
}

function selectKinds(
  { kinds = [], optionalKinds = [] }: CredentialsSelection,
  ofCluster: readonly TokenSource[],
): { required: ReadonlySet<string>; optional: ReadonlySet<string> } {
  const named = new Set(kinds);
  const optional = new Set(optionalKinds);
  const rest = ofCluster.map(({ kind }) => kind).filter((kind) => !optional.has(kind));
  return { required: named.size > 0 ? named : new Set(rest), optional };
}

function checkSources(sources: readonly TokenSource[]): void {
  if (sources.length === 0) throw new RangeError('no token sources: configure at least one cluster');
  const seen = new Set<string>();
  for (const { cluster, kind, name, services, tokenService } of sources) {
    const label = `token source ${name} (${kind}) of cluster ${cluster}`;
    if (services.length === 0)
      throw new RangeError(`${label} has no service label: clients could not find its token`);
    if (tokenService.kind !== kind) throw new RangeError(`${label}: its service issues ${tokenService.kind}`);
    const key = JSON.stringify([cluster, kind, name]);
    // They would share cache entries: one would hand out the other's tokens.
    if (seen.has(key)) throw new RangeError(`${label} is configured twice: name it differently`);
    seen.add(key);
  }
}
