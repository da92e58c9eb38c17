/** The value of the first entry that matches the name, or undefined if none does. */
export type LookUpGlob<T> = (name: string) => T | undefined;

/**
 * A list of names and globs with a value each, of which the first that matches counts; `*` stands for any number of
 * characters, nothing else is special. Names cost one look-up however many there are, globs are tried one by one.
 */
export function createGlobTable<T>(entries: readonly (readonly [glob: string, value: T])[]): LookUpGlob<T> {
  const exact = new Map<string, number>();
  const globs: { readonly at: number; readonly glob: Glob }[] = [];
  entries.forEach(([glob], at) => {
    if (glob.includes('*')) globs.push({ at, glob: splitGlob(glob) });
    else if (!exact.has(glob)) exact.set(glob, at);
  });
  return (name) => {
    const exactAt = exact.get(name) ?? entries.length;
    const first = globs.find(({ at, glob }) => at > exactAt || matchesGlob(name, glob));
    return entries[Math.min(exactAt, first?.at ?? exactAt)]?.[1];
  };
}

/** What stands before, between and after the stars. */
interface Glob {
  readonly start: string;
  readonly middle: readonly string[];
  readonly end: string;
}

/** Of a glob with at least one star. */
function splitGlob(glob: string): Glob {
  const [start = '', ...middle] = glob.split('*');
  const end = middle.pop() ?? '';
  return { start, middle, end };
}

/**
 * No regular expression: nothing of an entry has to be escaped, and a hostile name can't make the match backtrack.
 */
function matchesGlob(name: string, { start, middle, end }: Glob): boolean {
  if (!name.startsWith(start) || !name.endsWith(end) || name.length < start.length + end.length) return false;
  const endsAt = name.length - end.length;
  let position = start.length;
  for (const part of middle) {
    const found = name.indexOf(part, position);
    if (found === -1 || found + part.length > endsAt) return false;
    position = found + part.length;
  }
  return true;
}
