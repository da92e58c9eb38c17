import { systemClock } from '../../src/time/clock.ts';

/** Waits for what the API server takes up by watching: policies, and their end. `forMs`: for what others take up later. */
export async function until(
  what: string,
  reached: () => Promise<boolean>,
  { forMs = 20_000 }: { readonly forMs?: number } = {},
): Promise<void> {
  const deadline = systemClock.now() + forMs;
  while (!(await reached())) {
    if (systemClock.now() > deadline) throw new Error(`in vain: ${what}`);
    await systemClock.sleep(50);
  }
}
