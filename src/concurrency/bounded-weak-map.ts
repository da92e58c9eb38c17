/**
 * What is found out about an object, kept as long as the object and not longer. Past so many objects all is forgotten, and
 * found out again as it is asked for: a bound that costs nothing while nobody comes near it.
 */
export class BoundedWeakMap<Key extends object, Value> {
  readonly #most: number;
  #values = new WeakMap<Key, Value>();
  #count = 0;

  /** @param most values set since all was last forgotten, those of objects that are gone by now included */
  constructor(most: number) {
    this.#most = most;
  }

  get(key: Key): Value | undefined {
    return this.#values.get(key);
  }

  set(key: Key, value: Value): void {
    this.#count += 1;
    if (this.#count > this.#most) {
      this.#count = 1;
      this.#values = new WeakMap();
    }
    this.#values.set(key, value);
  }
}
