import { whyNotHealthy } from '../../fetch-client/check-health.ts';
import { systemClock } from '../../time/clock.ts';

/** `fetch --healthy`. @returns the exit code */
export async function runHealthy(output: string, say: (line: string) => void): Promise<number> {
  const problem = await whyNotHealthy(output, systemClock);
  if (problem === undefined) return 0;
  say(`not healthy: ${problem}`);
  return 1;
}
