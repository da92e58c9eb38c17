/** Past this many all are forgotten, and learnt again. */
const MAX_TEXTS = 100_000;
const texts = new Map<string, string>();

/** One text for all that are equal: names of users, namespaces and kinds that many tokens have. */
export function sharedText(text: string): string {
  const known = texts.get(text);
  if (known !== undefined) return known;
  if (texts.size >= MAX_TEXTS) texts.clear();
  const kept = inOnePiece(text);
  texts.set(kept, kept);
  return kept;
}

/** A text that was put together, or cut out of another, may keep what it came from. This one is by itself. */
export function inOnePiece(text: string): string {
  return Buffer.from(text).toString();
}
