import { Counter } from 'prom-client';

/**
 * A counter for what is counted in every request: one that was counted before is found by a key, without looking at
 * labels. What it counted is in the metric when that is read.
 */
export class TallyCounter<Label extends string> extends Counter<Label> {
  readonly #flushes: (() => void)[] = [];

  /** Keys are few, and kept for as long as the counter. A series appears with the first that is counted. */
  tallyBy<Key extends string>(labelsOf: (key: Key) => Record<Label, string>): Tallies<Key, Label> {
    const tallies = new Tallies<Key, Label>(labelsOf);
    this.#flushes.push(() => {
      tallies.flush((labels, counted) => this.inc(labels, counted));
    });
    return tallies;
  }

  override async get(): ReturnType<Counter<Label>['get']> {
    for (const flush of this.#flushes) flush();
    return await super.get();
  }
}

export class Tallies<Key extends string, Label extends string> {
  readonly #labelsOf: (key: Key) => Record<Label, string>;
  readonly #counts = new Map<Key, { readonly labels: Record<Label, string>; pending: number }>();

  constructor(labelsOf: (key: Key) => Record<Label, string>) {
    this.#labelsOf = labelsOf;
  }

  inc(key: Key): void {
    let count = this.#counts.get(key);
    if (count === undefined) {
      count = { labels: this.#labelsOf(key), pending: 0 };
      this.#counts.set(key, count);
    }
    count.pending += 1;
  }

  flush(take: (labels: Record<Label, string>, counted: number) => void): void {
    for (const count of this.#counts.values()) {
      const { labels, pending } = count;
      count.pending = 0;
      if (pending > 0) take(labels, pending);
    }
  }
}
