/** A name that a glob fits. */
export interface GlobMatch {
  /** What each star stands for. */
  readonly captures: readonly string[];
  /** The stars could stand for something else too: `*@*` fits `a@b@c` in two ways. */
  readonly isAmbiguous: boolean;
}

/**
 * A glob for the names of requesters. A star stands for one character or more, nothing else is special: an empty capture
 * would make a user of the rest of the rule. No regular expression: nothing has to be escaped, and no name makes it backtrack.
 */
export function compileNameGlob(glob: string): (name: string) => GlobMatch | undefined {
  if (glob.includes('**')) throw new RangeError('two stars in a row: write one');
  const [start = '', ...middle] = glob.split('*');
  const end = middle.pop();
  if (end === undefined) return (name) => (name === glob ? NOTHING_CAPTURED : undefined);
  return (name) => {
    const endsAt = name.length - end.length;
    if (endsAt <= start.length || !name.startsWith(start) || !name.endsWith(end)) return undefined;
    const bounds = { startsAt: start.length, endsAt };
    const first = firstPositions(name, middle, bounds);
    if (first === undefined) return undefined;
    const last = lastPositions(name, middle, bounds);
    return {
      captures: between(name, middle, first, bounds),
      isAmbiguous: first.some((position, index) => position !== last[index]),
    };
  };
}

const NOTHING_CAPTURED: GlobMatch = { captures: [], isAmbiguous: false };

/** Between the literal start and end of the glob. */
interface Bounds {
  readonly startsAt: number;
  readonly endsAt: number;
}

/** Where each part is if every star but the last takes as little as it can; undefined if they don't fit at all. */
function firstPositions(
  name: string,
  parts: readonly string[],
  { startsAt, endsAt }: Bounds,
): number[] | undefined {
  const positions: number[] = [];
  let after = startsAt;
  for (const part of parts) {
    const found = name.indexOf(part, after + 1);
    if (found === -1 || found + part.length >= endsAt) return undefined;
    positions.push(found);
    after = found + part.length;
  }
  return positions;
}

/** Where each part is if every star but the first takes as little as it can. Of parts that fit. */
function lastPositions(name: string, parts: readonly string[], { endsAt }: Bounds): number[] {
  const positions: number[] = [];
  let before = endsAt;
  for (const part of parts.toReversed()) {
    before = name.lastIndexOf(part, before - 1 - part.length);
    positions.unshift(before);
  }
  return positions;
}

function between(
  name: string,
  parts: readonly string[],
  positions: readonly number[],
  { startsAt, endsAt }: Bounds,
): string[] {
  const starts = [startsAt, ...positions.map((position, index) => position + (parts[index] ?? '').length)];
  return starts.map((from, index) => name.slice(from, positions[index] ?? endsAt));
}
