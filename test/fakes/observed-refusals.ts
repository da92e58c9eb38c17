import { createLogger } from '../../src/observability/logger.ts';
import { createMetrics } from '../../src/observability/metrics.ts';
import { Refusals } from '../../src/http-api/refusals.ts';
import { FakeClock } from './fake-clock.ts';

/** Real refusals with what they count and log at hand. */
export function observedRefusals(clock = new FakeClock()) {
  const lines: string[] = [];
  const metrics = createMetrics({ version: '0', processMetrics: false });
  const logger = createLogger({ level: 'debug', clock, destination: { write: (line) => lines.push(line) } });
  const refusals = new Refusals({ metrics, logger, clock });
  return {
    clock,
    metrics,
    logger,
    refusals,
    log: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>),
    /** How many were refused, by reason. */
    counts: async (): Promise<Record<string, number>> => {
      const { values } = await metrics.requestsRefused.get();
      return Object.fromEntries(values.map(({ labels, value }) => [String(labels.reason), value]));
    },
  };
}
