import type { Clock } from '../time/clock.ts';

export interface OrAfterOptions<T> {
  readonly clock: Clock;
  readonly ms: number;
  /** Asked once, when the time is over; undefined: there is nothing instead, and the work is waited for after all. */
  readonly instead: () => T | undefined;
}

/**
 * What `work` comes to, or what there is instead when that takes longer. The work is not ended by it, and how it ends
 * concerns nobody then.
 */
export async function orAfter<T>(
  work: Promise<T>,
  { clock, ms, instead }: OrAfterOptions<NonNullable<T>>,
): Promise<T> {
  const over = new AbortController();
  const impatient = clock.sleep(ms, over.signal).then(
    () => instead() ?? work,
    () => work,
  );
  return await Promise.race([work, impatient]).finally(() => over.abort());
}
