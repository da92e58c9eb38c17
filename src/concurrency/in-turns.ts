export interface Turns {
  /** Items in one go: some 1 ms of work. */
  readonly size: number;
  /** Resolves in a later turn of the event loop. */
  readonly breathe: () => Promise<void>;
}

/** Visits all items, however many there are, and leaves the event loop to others now and then. */
export async function inTurns<Item>(
  items: Iterable<Item>,
  { size, breathe }: Turns,
  visit: (item: Item) => void,
): Promise<void> {
  let count = 0;
  for (const item of items) {
    visit(item);
    count += 1;
    if (count % size === 0) await breathe();
  }
}
