import { withDeadline } from '../concurrency/deadline.ts';
import { errorCode } from '../observability/error-code.ts';
import type { Clock } from '../time/clock.ts';
import type { Finding } from './finding.ts';

/** One thing to look at. What it finds may have ids of its own; `id` is what others name in `needs`. */
export interface Check {
  /** As in a finding: stable, kebab-case, with its subject after a colon where there are several. */
  readonly id: string;
  /** For when it is skipped, or does not end. */
  readonly title: string;
  /** Checks without which this one can tell nothing: when one of them failed or was skipped, this one is skipped. */
  readonly needs?: readonly string[];
  /** In place of the usual limit. */
  readonly timeoutMs?: number;
  /** What to do when it does not end in time. */
  readonly timeoutFix?: string;
  /** In place of {@link CHECK_GRACE_MS}. */
  readonly graceMs?: number;
  /** What it may leave behind when it does not end within that either, and what to do then. */
  readonly mayLeave?: { readonly detail: string; readonly fix: string };
  /**
   * What it found. The signal is aborted when its time is up; what it still finds out within its grace after that
   * counts (that a token is cancelled, for example). Errors that it foresees are findings, not rejections.
   */
  run(signal: AbortSignal): Promise<readonly Finding[]>;
}

export interface CheckRunOptions {
  readonly clock: Clock;
  /** For one check that has no limit of its own. */
  readonly timeoutMs: number;
  /** No check may take longer, whatever it says itself. */
  readonly maxTimeoutMs?: number;
  /** Ends the whole run: what has not begun by then is skipped. */
  readonly signal?: AbortSignal;
}

/** For a check to end by itself when its time is up, and to undo what it did. */
export const CHECK_GRACE_MS = 5_000;

/** Why a check was ended. */
export class CheckTimeoutError extends Error {
  override readonly name = 'CheckTimeoutError';
  readonly timeoutMs: number;

  constructor(timeoutMs: number) {
    super(`no end within ${timeoutMs / 1000} s`);
    this.timeoutMs = timeoutMs;
  }
}

/**
 * Runs checks one after the other. It remembers how they went, so that a later batch may need checks of an earlier one:
 * which NameNodes there are is known only when the conf dir was read.
 */
export class CheckRun {
  readonly #options: CheckRunOptions;
  /** By id: why what needs it is skipped, or undefined if nothing stands in its way. */
  readonly #blocked = new Map<string, string | undefined>();

  constructor(options: CheckRunOptions) {
    this.#options = options;
  }

  /** Findings as they come. Never rejects. */
  async *run(checks: readonly Check[]): AsyncGenerator<Finding, void, undefined> {
    for (const check of checks) {
      const obstacle = this.#obstacleOf(check);
      // What it is told to wait for is the first that went wrong, however far away.
      const findings = obstacle === undefined ? await this.#findingsOf(check) : [skippedFor(check, obstacle)];
      this.#blocked.set(check.id, obstacle ?? whyBlocked(check, findings));
      yield* findings;
    }
  }

  /** Whether the check has run and neither failed nor was skipped. */
  passed(id: string): boolean {
    return this.#blocked.has(id) && this.#blocked.get(id) === undefined;
  }

  #obstacleOf({ needs = [] }: Check): string | undefined {
    if (this.#options.signal?.aborted === true) return ENDED;
    for (const needed of needs) {
      const why = this.#blocked.has(needed) ? this.#blocked.get(needed) : `${needed} was not looked at`;
      if (why !== undefined) return why;
    }
    return undefined;
  }

  async #findingsOf(check: Check): Promise<readonly Finding[]> {
    try {
      return await this.#inTime(check);
    } catch (error) {
      return [failure(check, error)];
    }
  }

  async #inTime(check: Check): Promise<readonly Finding[]> {
    const { clock, signal } = this.#options;
    const { timeoutMs: usualMs, maxTimeoutMs = Number.POSITIVE_INFINITY } = this.#options;
    const timeoutMs = Math.min(check.timeoutMs ?? usualMs, maxTimeoutMs);
    // Assigned within a callback that runs at once.
    let running: Promise<readonly Finding[]> = Promise.resolve([]);
    const late = new CheckTimeoutError(timeoutMs);
    try {
      return await withDeadline({ clock, timeoutMs, signal, onTimeout: () => late }, (ended) => {
        running = check.run(ended);
        return running;
      });
    } catch (error) {
      if (error !== late && signal?.aborted !== true) throw error;
      const onTimeout = (): Error => late;
      const graceMs = check.graceMs ?? CHECK_GRACE_MS;
      return await withDeadline({ clock, timeoutMs: graceMs, onTimeout }, () => running).catch(
        (graceError: unknown) => {
          const why = signal?.aborted === true ? ENDED : late.message;
          if (graceError === late && check.mayLeave !== undefined)
            return [leftBehind(check, why, check.mayLeave)];
          return signal?.aborted === true ? [skippedFor(check, ENDED)] : [failure(check, late)];
        },
      );
    }
  }
}

const ENDED = 'the run was ended';

const skippedFor = ({ id, title }: Check, detail: string): Finding => ({
  id,
  title,
  outcome: 'skipped',
  detail,
});

/** Also when the run was ended: that nothing was looked at would be only half of it. */
const leftBehind = (
  { id, title }: Check,
  why: string,
  { detail, fix }: { readonly detail: string; readonly fix: string },
): Finding => ({ id, title, outcome: 'failed', detail: `${why}; ${detail}`, fix });

function whyBlocked(check: Check, findings: readonly Finding[]): string | undefined {
  const failed = findings.find(({ outcome }) => outcome === 'failed');
  if (failed !== undefined) return `${failed.id} failed`;
  const first = findings[0];
  const allSkipped = first !== undefined && findings.every(({ outcome }) => outcome === 'skipped');
  return allSkipped ? `${check.id} was skipped: ${first.detail}` : undefined;
}

/** Of an error that nobody foresaw no text is shown: it may hold a header or a body. */
function failure({ id, title, timeoutFix }: Check, error: unknown): Finding {
  if (error instanceof CheckTimeoutError) {
    const fix = timeoutFix ?? 'See why this does not answer, or give it longer with --timeout';
    return { id, title, outcome: 'failed', detail: error.message, fix };
  }
  const name = error instanceof Error ? error.name : typeof error;
  return {
    id,
    title,
    outcome: 'failed',
    detail: `this check itself failed: ${name} (${errorCode(error)})`,
    fix: 'This is a defect of Kerbridge: please report it with the line above',
  };
}
