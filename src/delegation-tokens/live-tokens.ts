import { inOnePiece } from './compact-text.ts';
import type { TokenSource } from './credentials.ts';
import { createLiveToken, type LiveToken, type Slot, slotKey } from './live-token.ts';
import { keyOf } from './record-book.ts';
import type { RecordedToken, RecordId, TokenRecord, TokenScope } from './token-record.ts';

export interface LiveTokensOptions {
  /** Those of the configuration; what is recorded of others is left as it is. */
  readonly sources: readonly TokenSource[];
  /** A token that was not known before. It can be found in its slot by now. */
  readonly onAdded: (live: LiveToken) => void;
  /** Its tombstone was taken away, by whomever. Whether it lives must be shown anew: somebody may have cancelled it. */
  readonly onKept: (live: LiveToken) => void;
  /** It is recorded no more, so somebody has done with it. */
  readonly onRemoved: (live: LiveToken) => void;
}

/** The tokens of all records, by slot: what the records say, and beside it what only this process knows. */
export class LiveTokens {
  readonly #options: LiveTokensOptions;
  readonly #slots = new Map<TokenSource, Map<string, Slot>>();
  readonly #records = new Map<string, readonly LiveToken[]>();
  /** By namespace; undefined: shared by all. */
  readonly #counts = new Map<string | undefined, number>();
  /** Most often there is one of a number, and no array for it. */
  readonly #numbers = new Map<number, LiveToken | readonly LiveToken[]>();
  #size = 0;

  constructor(options: LiveTokensOptions) {
    this.#options = options;
    for (const source of options.sources) this.#slots.set(source, new Map());
  }

  get size(): number {
    return this.#size;
  }

  countIn(namespace: string | undefined): number {
    return this.#counts.get(namespace) ?? 0;
  }

  *values(): Generator<LiveToken> {
    for (const tokens of this.#records.values()) yield* tokens;
  }

  /** Sequence numbers are those of one server. */
  withNumber(sequenceNumber: number): readonly LiveToken[] {
    const known = this.#numbers.get(sequenceNumber) ?? NONE;
    return 'slot' in known ? [known] : known;
  }

  /** Undefined: no token of it is recorded. */
  find(source: TokenSource, key: string): Slot | undefined {
    return this.#slots.get(source)?.get(key);
  }

  /** The record as it is now; undefined: there is none. */
  apply(id: RecordId, record: TokenRecord | undefined): void {
    const key = inOnePiece(keyOf(id));
    // By key: one that is searched for in a list makes a record of a thousand tokens a matter of seconds.
    const gone = new Map((this.#records.get(key) ?? NONE).map((live) => [tokenKey(live.recorded), live]));
    const added: LiveToken[] = [];
    const kept: LiveToken[] = [];
    const now: LiveToken[] = [];
    for (const recorded of record?.tokens ?? []) {
      const source = this.#sourceOf(recorded);
      if (source === undefined) continue;
      const known = gone.get(tokenKey(recorded));
      const live = known ?? createLiveToken(recorded, this.#slotOf(source, id, recorded));
      if (live.recorded.tombstonedAt !== undefined && recorded.tombstonedAt === undefined) kept.push(live);
      live.recorded = recorded;
      now.push(live);
      if (known === undefined) added.push(live);
      else gone.delete(tokenKey(recorded));
    }
    const after = exactly(now);
    if (after.length === 0) this.#records.delete(key);
    else this.#records.set(key, after);
    const removed = [...gone.values()];
    for (const live of removed) {
      live.gone = true;
      this.#renumber(live, (others) => others.filter((other) => other !== live));
    }
    for (const live of added) this.#renumber(live, (others) => others.concat(live));
    for (const live of kept) live.cached = undefined;
    this.#size += added.length - removed.length;
    this.#counts.set(id.namespace, this.countIn(id.namespace) + added.length - removed.length);
    if (this.countIn(id.namespace) === 0) this.#counts.delete(id.namespace);
    const bySlot = Map.groupBy(after, (live) => live.slot);
    for (const { slot } of removed) if (!bySlot.has(slot)) bySlot.set(slot, []);
    for (const [slot, generations] of bySlot)
      this.#settle(slot, generations.length === after.length ? after : exactly(generations));
    for (const live of removed) this.#options.onRemoved(live);
    for (const live of added) this.#options.onAdded(live);
    for (const live of kept) this.#options.onKept(live);
  }

  #renumber({ recorded }: LiveToken, change: (others: readonly LiveToken[]) => readonly LiveToken[]): void {
    const { sequenceNumber } = recorded.token;
    const changed = change(this.withNumber(sequenceNumber));
    if (changed.length === 0) this.#numbers.delete(sequenceNumber);
    else
      this.#numbers.set(
        sequenceNumber,
        changed.length === 1 && changed[0] !== undefined ? changed[0] : changed,
      );
  }

  /** After one of them was closed, or opened again. */
  settle(slot: Slot): void {
    slot.current = slot.generations.filter(isInUse).reduce<LiveToken | undefined>(newer, undefined);
  }

  #settle(slot: Slot, generations: readonly LiveToken[]): void {
    slot.generations = generations;
    this.settle(slot);
    if (generations.length === 0) this.#slots.get(slot.source)?.delete(slot.key);
  }

  #slotOf(source: TokenSource, id: RecordId, recorded: RecordedToken): Slot {
    const slots = this.#slots.get(source) ?? new Map<string, Slot>();
    const { scope, stampedUser } = recorded;
    const key = inOnePiece(slotKey(id.owner, stampedUser, scope));
    const known = slots.get(key);
    if (known !== undefined) return known;
    const slot: Slot = { key, id, source, scope, stampedUser, current: undefined, generations: NONE };
    slots.set(key, slot);
    return slot;
  }

  #sourceOf({ cluster, source: name, kind, renewer }: RecordedToken): TokenSource | undefined {
    return this.#options.sources.find(
      (source) =>
        source.cluster === cluster &&
        source.name === name &&
        source.kind === kind &&
        source.renewer === renewer,
    );
  }
}

const NONE: readonly LiveToken[] = [];

/** Without the room that an array keeps for more, which is for sixteen more than it ever had. */
function exactly<T>(items: readonly T[]): readonly T[] {
  return items.length === 0 ? [] : [...items];
}

/** May be handed out, as far as its own state goes. */
export function isInUse({ recorded, closing, dead }: LiveToken): boolean {
  return recorded.retiredAt === undefined && recorded.tombstonedAt === undefined && !closing && !dead;
}

function newer(one: LiveToken | undefined, other: LiveToken): LiveToken {
  return one !== undefined && one.recorded.issuedAt >= other.recorded.issuedAt ? one : other;
}

export function isSameToken(one: RecordedToken, other: RecordedToken): boolean {
  return tokenKey(one) === tokenKey(other);
}

/** The same text for the same token. */
function tokenKey({ cluster, source, kind, token }: RecordedToken): string {
  return `${token.sequenceNumber}\n${token.issueDate}\n${cluster}\n${source}\n${kind}`;
}

/** The scope of a request's token. */
export function scopeOf(
  type: TokenScope['type'],
  pod: { readonly namespace: string; readonly podUid: string },
): TokenScope {
  switch (type) {
    case 'namespace':
      return { type, namespace: pod.namespace };
    case 'user':
      return { type };
    case 'pod':
      return { type, namespace: pod.namespace, podUid: pod.podUid };
  }
}
