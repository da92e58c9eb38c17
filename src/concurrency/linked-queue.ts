/** A place in a LinkedQueue, for whoever wants to leave it out of turn. */
export interface Link<Value> {
  readonly value: Value;
  previous: Link<Value> | undefined;
  next: Link<Value> | undefined;
}

/**
 * First in, first out, where anybody may leave at any time: everything takes the same time however many there are. (An
 * array moves all the others; a Map that loses its first entries walks over their holes to find the next.)
 */
export class LinkedQueue<Value> {
  #first: Link<Value> | undefined;
  #last: Link<Value> | undefined;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get first(): Value | undefined {
    return this.#first?.value;
  }

  get firstLink(): Link<Value> | undefined {
    return this.#first;
  }

  get last(): Value | undefined {
    return this.#last?.value;
  }

  append(value: Value): Link<Value> {
    const link: Link<Value> = { value, previous: this.#last, next: undefined };
    if (this.#last === undefined) this.#first = link;
    else this.#last.next = link;
    this.#last = link;
    this.#size += 1;
    return link;
  }

  /** Once for each link. */
  remove({ previous, next }: Link<Value>): void {
    if (previous === undefined) this.#first = next;
    else previous.next = next;
    if (next === undefined) this.#last = previous;
    else next.previous = previous;
    this.#size -= 1;
  }
}
