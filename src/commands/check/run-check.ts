import { lookup, resolveSrv } from 'node:dns/promises';
import type { ServeOptions } from '../../config/load-serve-config.ts';
import { askKdc } from '../../kerberos/kdc/ask-kdc.ts';
import { CheckRun } from '../../preflight/check.ts';
import type { Finding } from '../../preflight/finding.ts';
import { systemClock } from '../../time/clock.ts';
import type { CheckTerminal } from './check-terminal.ts';
import { examine, UnknownClusterError } from './examine.ts';
import { findingText, summaryOf, summaryText } from './print-findings.ts';

/** Exit codes of `kerbridge check`, for scripts. */
export const CHECK_EXIT = { allWell: 0, failed: 1, usage: 2 } as const;

const ENDING =
  'kerbridge check: ending; a token that was asked for is awaited and cancelled (a second signal ends this at once)\n';

/** Longer than the time-outs within most checks; those that take more say so themselves. */
const USUAL_TIMEOUT_MS = 60_000;

export interface CheckOptions extends ServeOptions {
  readonly user?: string;
  readonly cluster?: string;
  /** The running server. */
  readonly url?: URL;
  readonly caFile?: string;
  readonly json?: boolean;
  /** Seconds, for each check. */
  readonly timeout?: number;
}

/** Prints findings as they come, or one JSON document at the end. Returns the exit code. */
export async function runCheck(
  { user, cluster, url, caFile, json = false, timeout, ...serve }: CheckOptions,
  terminal: CheckTerminal,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<number> {
  const asked = new AbortController();
  const stopListening = onFirstSignal(() => {
    terminal.error(ENDING);
    asked.abort(new Error('asked to end'));
  });
  const signal = AbortSignal.any([asked.signal, terminal.closed]);
  const findings: Finding[] = [];
  try {
    const run = new CheckRun({
      clock: systemClock,
      timeoutMs: USUAL_TIMEOUT_MS,
      signal,
      ...(timeout === undefined ? {} : { maxTimeoutMs: timeout * 1000 }),
    });
    const found = examine({
      serve,
      user,
      cluster,
      url,
      caFile,
      run,
      clock: systemClock,
      random: Math.random,
      lookup: async (host) => (await lookup(host, { all: true })).map(({ address }) => address),
      resolveSrv,
      askKdc,
      environment,
    });
    for await (const finding of found) {
      findings.push(finding);
      if (!json) terminal.out(findingText(finding));
    }
  } catch (error) {
    if (!(error instanceof UnknownClusterError)) throw error;
    terminal.error(`kerbridge check: ${error.message}; name one of these with --cluster\n`);
    return CHECK_EXIT.usage;
  } finally {
    stopListening();
  }
  const summary = summaryOf(findings);
  terminal.out(json ? `${JSON.stringify({ findings, summary }, undefined, 2)}\n` : summaryText(summary));
  return summary.failed > 0 || signal.aborted ? CHECK_EXIT.failed : CHECK_EXIT.allWell;
}

/**
 * The check under way may still undo what it did; a second signal ends the process at once, as by default. Not so SIGHUP: a
 * session that closes may send it more than once, and with SIGTERM, and nobody is there who insists.
 */
function onFirstSignal(listener: () => void): () => void {
  const insistent = ['SIGINT', 'SIGTERM'] as const;
  let isEnding = false;
  const onSignal = (): void => {
    if (isEnding) return;
    isEnding = true;
    listener();
  };
  const onInsistentSignal = (): void => {
    for (const signal of insistent) process.off(signal, onInsistentSignal);
    onSignal();
  };
  for (const signal of insistent) process.on(signal, onInsistentSignal);
  process.on('SIGHUP', onSignal);
  return () => {
    for (const signal of insistent) process.off(signal, onInsistentSignal);
    process.off('SIGHUP', onSignal);
  };
}
