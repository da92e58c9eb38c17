/** What waits in a {@link DeadlineHeap}; both fields are the heap's own while it is in there. */
export interface Deadline {
  dueAt: number;
  /** -1: in no heap. */
  heapIndex: number;
}

/** A binary heap by `dueAt`: the next one at once, all else in O(log n), no allocation for an item that comes or goes. */
export class DeadlineHeap<Item extends Deadline> {
  readonly #items: Item[] = [];

  get size(): number {
    return this.#items.length;
  }

  get next(): Item | undefined {
    return this.#items[0];
  }

  /** In no particular order. */
  values(): IterableIterator<Item> {
    return this.#items.values();
  }

  /** Puts it in, or moves it to another time. */
  set(item: Item, dueAt: number): void {
    item.dueAt = dueAt;
    if (item.heapIndex === -1) {
      item.heapIndex = this.#items.length;
      this.#items.push(item);
    }
    this.#sink(this.#rise(item.heapIndex));
  }

  remove(item: Item): void {
    const index = item.heapIndex;
    if (index === -1) return;
    item.heapIndex = -1;
    const last = this.#items.pop();
    if (last === undefined || last === item) return;
    this.#place(last, index);
    this.#sink(this.#rise(index));
  }

  /** @returns where it is now */
  #rise(from: number): number {
    let index = from;
    const item = this.#at(index);
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = this.#at(parent);
      if (above.dueAt <= item.dueAt) break;
      this.#place(above, index);
      index = parent;
    }
    this.#place(item, index);
    return index;
  }

  #sink(from: number): void {
    let index = from;
    const item = this.#at(index);
    for (;;) {
      let child = 2 * index + 1;
      if (child >= this.#items.length) break;
      if (child + 1 < this.#items.length && this.#at(child + 1).dueAt < this.#at(child).dueAt) child += 1;
      if (item.dueAt <= this.#at(child).dueAt) break;
      this.#place(this.#at(child), index);
      index = child;
    }
    this.#place(item, index);
  }

  #place(item: Item, index: number): void {
    this.#items[index] = item;
    item.heapIndex = index;
  }

  #at(index: number): Item {
    const item = this.#items[index];
    if (item === undefined) throw new RangeError(`the heap has no item ${index}`);
    return item;
  }
}
