import { type Link, LinkedQueue } from './linked-queue.ts';

/** A place in a FairQueue, for whoever wants to leave it out of turn. */
export interface Ticket<Value> {
  readonly party: Party<Value>;
  readonly link: Link<Value>;
}

interface Party<Value> {
  readonly name: string;
  readonly waiting: LinkedQueue<Value>;
  turn: Link<Party<Value>> | undefined;
  ofItsSize: Link<Party<Value>> | undefined;
}

/**
 * Parties take turns, and those of one party go in the order of their coming: however many one party sends, the first of
 * another waits for one of each. Whoever is to make room is of the party that has most. All of it takes the same time
 * however many there are.
 */
export class FairQueue<Value> {
  /** Those of whom somebody waits. */
  readonly #parties = new Map<string, Party<Value>>();
  /** The same, who is next first. */
  readonly #turns = new LinkedQueue<Party<Value>>();
  /** The same, by how many wait. */
  readonly #bySize = new Map<number, LinkedQueue<Party<Value>>>();
  /** How many wait of the party that has most. */
  #most = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Of one party. */
  sizeOf(party: string): number {
    return this.#parties.get(party)?.waiting.size ?? 0;
  }

  /** How many wait of the party that has most. */
  get most(): number {
    return this.#most;
  }

  /** The youngest of the party that has most. */
  get last(): Value | undefined {
    return this.#bySize.get(this.#most)?.last?.waiting.last;
  }

  append(value: Value, name: string): Ticket<Value> {
    const party = this.#parties.get(name) ?? this.#join(name);
    const link = party.waiting.append(value);
    this.#size += 1;
    this.#resize(party, party.waiting.size - 1);
    return { party, link };
  }

  /** Takes out whose turn it is; the next turn is another party's. */
  shift(): Value | undefined {
    const party = this.#turns.first;
    const link = party?.waiting.firstLink;
    if (party?.turn === undefined || link === undefined) return undefined;
    this.#turns.remove(party.turn);
    party.turn = this.#turns.append(party);
    this.remove({ party, link });
    return link.value;
  }

  /** Once for each ticket, and not for one that was taken out. */
  remove({ party, link }: Ticket<Value>): void {
    party.waiting.remove(link);
    this.#size -= 1;
    this.#resize(party, party.waiting.size + 1);
    if (party.waiting.size > 0 || party.turn === undefined) return;
    this.#turns.remove(party.turn);
    this.#parties.delete(party.name);
  }

  #join(name: string): Party<Value> {
    const party: Party<Value> = {
      name,
      waiting: new LinkedQueue(),
      turn: undefined,
      ofItsSize: undefined,
    };
    party.turn = this.#turns.append(party);
    this.#parties.set(name, party);
    return party;
  }

  /** One more or one fewer wait of the party than before. */
  #resize(party: Party<Value>, before: number): void {
    const { size } = party.waiting;
    const left = this.#bySize.get(before);
    if (left !== undefined && party.ofItsSize !== undefined) {
      left.remove(party.ofItsSize);
      if (left.size === 0) this.#bySize.delete(before);
    }
    if (size > 0) {
      const joined = this.#bySize.get(size) ?? new LinkedQueue();
      this.#bySize.set(size, joined);
      party.ofItsSize = joined.append(party);
    }
    // Sizes change by one: when nobody has as many any more, the party itself is next to it.
    if (size > this.#most || !this.#bySize.has(this.#most)) this.#most = size;
  }
}
