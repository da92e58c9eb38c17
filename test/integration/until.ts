import { systemClock } from '../../src/time/clock.ts';

/** Waits for what the API server takes up by watching: policies, and their end. */
export async function until(what: string, reached: () => Promise<boolean>): Promise<void> {
  const deadline = systemClock.now() + 20_000;
  while (!(await reached())) {
    if (systemClock.now() > deadline) throw new Error(`in vain: ${what}`);
    await systemClock.sleep(50);
  }
}
