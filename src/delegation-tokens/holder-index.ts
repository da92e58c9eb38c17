import { inTurns } from '../concurrency/in-turns.ts';
import type { HolderPod } from './holders.ts';
import { type LiveToken, stateOf } from './live-token.ts';
import type { TokenScope } from './token-record.ts';

/**
 * Our clock and the API server's may differ by this much: more, and Kerberos would not work either. A pod that was
 * created up to this long after a token was retired counts as a holder all the same.
 */
export const CLOCK_SLACK_MS = 300_000;
/** Pods looked at in one go. */
const CHUNK = 500;

interface Group {
  pods: number;
  oldestAt: number;
}

/** Pods by whom they may share a token with. */
export class HolderIndex {
  readonly #groups = new Map<string, Group>();

  /** For tokens of these scopes. `breathe` resolves in a later turn of the event loop. */
  static async of(
    pods: Iterable<HolderPod>,
    {
      scopes,
      breathe,
    }: { readonly scopes: ReadonlySet<TokenScope['type']>; readonly breathe: () => Promise<void> },
  ): Promise<HolderIndex> {
    const index = new HolderIndex();
    await inTurns(pods, { size: CHUNK, breathe }, (pod) => index.#add(pod, scopes));
    return index;
  }

  #add({ namespace, uid, stampedUser, createdAt }: HolderPod, scopes: ReadonlySet<TokenScope['type']>): void {
    if (stampedUser === undefined) return;
    if (scopes.has('user')) this.#count(`u\n${stampedUser}`, createdAt);
    if (scopes.has('namespace')) this.#count(`n${namespace}\n${stampedUser}`, createdAt);
    if (scopes.has('pod')) this.#count(`p${uid}\n${stampedUser}`, createdAt);
  }

  #count(key: string, createdAt: number): void {
    const group = this.#groups.get(key);
    if (group === undefined) this.#groups.set(key, { pods: 1, oldestAt: createdAt });
    else {
      group.pods += 1;
      if (createdAt < group.oldestAt) group.oldestAt = createdAt;
    }
  }

  /**
   * How many pods may hold the token: those of its scope and user, and, if it is retired, only if one of them was there
   * before that. `lagMs`: for how long others may have gone on handing it out.
   */
  holdersOf(live: LiveToken, lagMs: number): number {
    const { scope, stampedUser } = live.slot;
    const group = this.#groups.get(`${groupOf(scope)}\n${stampedUser}`);
    if (group === undefined) return 0;
    const { retiredAt } = live.recorded;
    if (stateOf(live) === 'current' || retiredAt === undefined) return group.pods;
    return group.oldestAt < retiredAt + lagMs + CLOCK_SLACK_MS ? group.pods : 0;
  }
}

function groupOf(scope: TokenScope): string {
  switch (scope.type) {
    case 'user':
      return 'u';
    case 'namespace':
      return `n${scope.namespace}`;
    case 'pod':
      return `p${scope.podUid}`;
  }
}
