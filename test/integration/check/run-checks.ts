import { parseServeConfig } from '../../../src/config/serve-config.ts';
import type { ServeConfigSections } from '../../../src/config/serve-config.ts';
import { CheckRun } from '../../../src/preflight/check.ts';
import type { Check } from '../../../src/preflight/check.ts';
import type { Finding } from '../../../src/preflight/finding.ts';
import { systemClock } from '../../../src/time/clock.ts';

/** Sections of a configuration that says nothing of clusters. */
export function sectionsOf(config: Readonly<Record<string, unknown>>): ServeConfigSections {
  const parsed = parseServeConfig(config);
  return parsed.ok ? parsed.config : parsed.sections;
}

/** Findings by their ids, in their order. An id that comes twice fails. */
export async function runChecks(checks: readonly Check[]): Promise<ReadonlyMap<string, Finding>> {
  const found = new Map<string, Finding>();
  const run = new CheckRun({ clock: systemClock, timeoutMs: 30_000 });
  for await (const finding of run.run(checks)) {
    if (found.has(finding.id)) throw new Error(`two findings ${finding.id}`);
    found.set(finding.id, finding);
  }
  return found;
}

export const withOutcome = (found: ReadonlyMap<string, Finding>, outcome: Finding['outcome']): string[] =>
  [...found.values()].filter((each) => each.outcome === outcome).map(({ id }) => id);
