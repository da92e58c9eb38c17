import { Backoff } from '../concurrency/backoff.ts';
import type { Clock } from '../time/clock.ts';
import { decideNextTry } from './decide-next-try.ts';
import { type FetchSession, type Held, inBrackets } from './fetch-session.ts';

export interface FetchFirstOptions {
  readonly session: Pick<FetchSession, 'try'>;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  /** 0: one try. */
  readonly deadlineMs: number;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

export type FirstFetch =
  | { readonly outcome: 'written'; readonly held: Held }
  | { readonly outcome: 'ended'; readonly exitCode: number }
  | { readonly outcome: 'stopped' };

const BACKOFF = { firstMs: 1000, capMs: 30_000 };

/** Tries until the files are written, it makes no sense any more, or the next try would be past the deadline. */
export async function fetchFirst(options: FetchFirstOptions): Promise<FirstFetch> {
  const { session, clock, random, deadlineMs, say, signal } = options;
  const deadlineAt = clock.now() + deadlineMs;
  const backoff = new Backoff({ ...BACKOFF, random });
  for (let isFirst = true; !signal.aborted; isFirst = false) {
    const { held, failure } = await session.try(signal, deadlineMs === 0 ? undefined : deadlineAt);
    // Written is written, also when the signal came meanwhile.
    if (held !== undefined && (failure === undefined || signal.aborted)) return { outcome: 'written', held };
    if (failure === undefined || signal.aborted) break;
    const backoffMs = failure.tryAtOnce ? 0 : backoff.next();
    const decision = decideNextTry({ failure, isFirst, backoffMs, now: clock.now(), deadlineAt });
    say(`${failure.reason}${inBrackets(failure.requestId)}; ${describeNext(decision, failure.exitCode)}`);
    if (decision.next === 'end') return { outcome: 'ended', exitCode: decision.exitCode };
    await clock.sleep(decision.afterMs, signal).catch(() => undefined);
  }
  return { outcome: 'stopped' };
}

function describeNext(decision: ReturnType<typeof decideNextTry>, exitCode: number): string {
  if (decision.next === 'end') return exitCode === 4 ? 'no next try before the deadline' : 'no next try';
  return decision.afterMs === 0
    ? 'the file has another service-account token by now: next try at once'
    : `next try in ${describeMs(decision.afterMs)}`;
}

export function describeMs(ms: number): string {
  return `${ms < 10_000 ? (ms / 1000).toFixed(1) : Math.round(ms / 1000)} s`;
}
