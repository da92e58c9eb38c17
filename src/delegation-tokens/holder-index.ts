import type { HolderPod } from './holders.ts';
import { type LiveToken, stateOf } from './live-token.ts';
import type { TokenScope } from './token-record.ts';

/**
 * Our clock and the API server's may differ by this much: more, and Kerberos would not work either. A pod that was
 * created up to this long after a token was retired counts as a holder all the same.
 */
export const CLOCK_SLACK_MS = 300_000;
/** Pods looked at in one go: some 1 ms. */
const CHUNK = 2_000;

interface Group {
  pods: number;
  oldestAt: number;
}

/** Pods by whom they may share a token with. */
export class HolderIndex {
  readonly #groups = new Map<string, Group>();

  /** Leaves the event loop to others now and then. `breathe` resolves in a later turn of it. */
  static async of(pods: Iterable<HolderPod>, breathe: () => Promise<void>): Promise<HolderIndex> {
    const index = new HolderIndex();
    let count = 0;
    for (const pod of pods) {
      index.#add(pod);
      count += 1;
      if (count % CHUNK === 0) await breathe();
    }
    return index;
  }

  #add({ namespace, uid, stampedUser, createdAt }: HolderPod): void {
    if (stampedUser === undefined) return;
    this.#count(`u\n${stampedUser}`, createdAt);
    this.#count(`n${namespace}\n${stampedUser}`, createdAt);
    this.#count(`p${uid}\n${stampedUser}`, createdAt);
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
