import { Backoff } from '../../concurrency/backoff.ts';
import type { Clock } from '../../time/clock.ts';
import { type Moment, momentOf } from '../../time/moment.ts';
import { TooManyRequestsError } from '../error-of-status.ts';
import { KubernetesApiError } from '../kubernetes-api-error.ts';
import { Completeness } from './completeness.ts';
import type { ObjectKind } from './object-kind.ts';
import type { ObjectSource } from './object-source.ts';
import { LineSplitter, readWatchEvent, type WatchEvent } from './watch-events.ts';

/** A watch that lived this long was a success: what ends it is a first failure. */
const HEALTHY_WATCH_MS = 5_000;
const FIRST_RETRY_MS = 500;
const MAX_RETRY_AFTER_MS = 60_000;

/** All in ms but for the seconds of a watch. */
export interface ReflectorTiming {
  /** A watch that is silent for this long is given up. */
  readonly silenceLimitMs: number;
  /** After how long the API server is to end a watch. */
  readonly watchSeconds: { readonly least: number; readonly most: number };
  /** How long after its own time-out a watch may still go on. */
  readonly overdueMs: number;
  /** How often the API server is asked how far it is. */
  readonly questionIntervalMs: number;
  /** The watch is not yet where the API server was this long ago: a list must tell. */
  readonly behindMs: number;
  /** What may be missing more than this is not vouched for. Longer than `behindMs`, by the time for a list. */
  readonly maxLagMs: number;
  /** The longest wait after a failure. */
  readonly retryCapMs: number;
}

export type ReflectorEvent =
  | {
      readonly type: 'listed';
      readonly objects: number;
      readonly pages: number;
      readonly durationMs: number;
    }
  /** A watch has begun. */
  | { readonly type: 'watching' }
  /** The API server has ended a watch in good order. */
  | { readonly type: 'watch-ended' }
  | { readonly type: 'put' | 'delete' | 'bookmark' }
  /** A LIST or WATCH failed. `error` is a KubernetesApiError unless we made a mistake. */
  | {
      readonly type: 'failed';
      readonly step: 'list' | 'watch';
      readonly error: unknown;
      readonly relist: boolean;
      readonly retryInMs: number;
    };

/** Takes the place of all that was held, page by page. */
export interface Replacement<T> {
  put(object: T): void;
  /** All has been put: what is held beyond it is gone. Without this call nothing goes. */
  complete(): void;
}

/** Where the objects go. What it throws leads to a new list, as what can't be read does. */
export interface ReflectorTarget<T> {
  readonly size: number;
  put(object: T): void;
  delete(object: T): void;
  beginReplacement(): Replacement<T>;
}

export interface ReflectorOptions<T> {
  readonly source: ObjectSource;
  readonly of: ObjectKind<T>;
  readonly target: ReflectorTarget<T>;
  readonly timing: ReflectorTiming;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly onEvent?: (event: ReflectorEvent) => void;
}

export interface ReflectorState {
  /** A whole list has been read and a watch has begun after it. Stays true. */
  readonly synced: boolean;
  /** Synced, heard from the API server lately, and nothing older than `maxLagMs` is missing. */
  readonly fresh: boolean;
  /** Up to where everything was seen; undefined until the first list is whole, and while a new one must be read. */
  readonly resourceVersion: string | undefined;
  /** ms since the epoch. */
  readonly lastHeardAt: number | undefined;
  /** Nothing that happened before is missing, ms since the epoch; undefined: nothing is known. */
  readonly completeUntil: number | undefined;
}

export interface Reflector {
  /** Begins, once. Never throws, and nothing that fails ends it. */
  readonly start: () => void;
  readonly stop: () => Promise<void>;
  readonly state: () => ReflectorState;
  /** As `state()` says, at no cost. */
  readonly isFresh: () => boolean;
  /** Resolves when synced. Rejects with the reason of the signal, or when the reflector is stopped first. */
  readonly waitUntilSynced: (signal?: AbortSignal) => Promise<void>;
}

/**
 * Keeps a copy of objects of the Kubernetes API by a paged LIST and a WATCH. In the place of client-node's informer, which
 * (2.0.1) ends at the first error, and neither pages, compares UIDs nor says when it is synced.
 *
 * Nothing heard for the silence limit and a third of it, or no proof for `maxLagMs` that the watch is not behind: it is no
 * longer fresh, and goes on only after a new consistent list. An event that can't be read also leads to a new list, for it
 * may be the one that matters, and so does a watch that the API server doesn't end when it should.
 */
export function createReflector<T>(options: ReflectorOptions<T>): Reflector {
  const { source, of, target, timing, clock, random } = options;
  const { silenceLimitMs, watchSeconds, overdueMs, questionIntervalMs, behindMs: limitBehindMs } = timing;
  const freshForMs = silenceLimitMs + silenceLimitMs / 3;
  const stopped = new AbortController();
  const synced = Promise.withResolvers<undefined>();
  // Nobody need wait for it.
  synced.promise.catch(() => undefined);
  const backoff = new Backoff({ firstMs: FIRST_RETRY_MS, capMs: timing.retryCapMs, random });
  const completeness = new Completeness<Moment>();
  let running: Promise<void> | undefined;
  let isSynced = false;
  let resourceVersion: string | undefined;
  let lastHeard: Moment | undefined;

  function report(event: ReflectorEvent): void {
    try {
      options.onEvent?.(event);
    } catch {
      // There is nobody left to tell.
    }
  }

  const moment = (): Moment => momentOf(clock);

  /** Nobody can tell how long ago it was once the clock has been set back: then too long. */
  function msSince(past: Moment | undefined): number {
    if (past === undefined || clock.now() < past.now) return Number.POSITIVE_INFINITY;
    return Math.max(clock.now() - past.now, clock.uptime() - past.uptime);
  }

  const silentForMs = (): number => msSince(lastHeard);
  const isRecent = (): boolean =>
    silentForMs() <= freshForMs && msSince(completeness.until) <= timing.maxLagMs;
  const isFresh = (): boolean => isSynced && !stopped.signal.aborted && isRecent();

  function completeUntil(): number | undefined {
    const ms = msSince(completeness.until);
    return Number.isFinite(ms) ? clock.now() - ms : undefined;
  }

  async function readList(): Promise<string> {
    const startedAt = moment();
    resourceVersion = undefined;
    const replacement = target.beginReplacement();
    let first: string | undefined;
    let continueFrom: string | undefined;
    let pages = 0;
    do {
      const page = await source.listPage(continueFrom, stopped.signal);
      for (const item of page.items) replacement.put(of.read(item));
      // All pages are of one version. Should they not be, the watch from the first leaves nothing out.
      first ??= page.resourceVersion;
      continueFrom = page.continueFrom;
      pages += 1;
    } while (continueFrom !== undefined);
    replacement.complete();
    resourceVersion = first;
    lastHeard = startedAt;
    completeness.restart(startedAt);
    report({ type: 'listed', objects: target.size, pages, durationMs: clock.now() - startedAt.now });
    return first;
  }

  /** Resolves when the watch ends in good order: true if the next step may be taken at once. */
  async function watch(from: string, isResumed: boolean): Promise<boolean> {
    const over = new AbortController();
    const signal = AbortSignal.any([stopped.signal, over.signal]);
    const { least, most } = watchSeconds;
    const timeoutSeconds = Math.round(least + random() * (most - least));
    let companions: Promise<unknown> | undefined;
    let begunAt = Number.POSITIVE_INFINITY;
    const isHealthy = (): boolean => clock.now() - begunAt >= HEALTHY_WATCH_MS;
    try {
      const body = await source.openWatch({ resourceVersion: from, timeoutSeconds }, signal);
      // The answer itself may have been long in coming.
      if (isResumed && !isRecent()) return true;
      begunAt = clock.now();
      lastHeard = moment();
      isSynced = true;
      synced.resolve(undefined);
      report({ type: 'watching' });
      companions = Promise.all([endInTime(over, begunAt, timeoutSeconds), askHowFar(over.signal)]);
      const lines = new LineSplitter();
      for await (const chunk of body) {
        for (const line of lines.push(chunk)) apply(readWatchEvent(line, of));
      }
      return isHealthy();
    } finally {
      if (isHealthy()) backoff.reset();
      // Also closes the connection of a watch that was refused or left.
      over.abort();
      await companions;
    }
  }

  function apply(event: WatchEvent<T>): void {
    if (event.type === 'put') target.put(event.object);
    else if (event.type === 'delete') target.delete(event.object);
    resourceVersion = event.resourceVersion;
    lastHeard = moment();
    completeness.reach(event.resourceVersion);
    report({ type: event.type });
  }

  /** The watch is told apart from one that is held up somewhere, however lively that may look. */
  async function askHowFar(signal: AbortSignal): Promise<void> {
    for (;;) {
      const askedAt = moment();
      try {
        completeness.learn(await source.readVersion(signal), askedAt);
        if (resourceVersion !== undefined) completeness.reach(resourceVersion);
      } catch {
        // No answer, no proof: without one for too long the watch is over.
      }
      try {
        await clock.sleep(questionIntervalMs, signal);
      } catch {
        return;
      }
    }
  }

  /** A connection can be dead without a word (a cable, a firewall, a stopped process), or be alive and late. */
  async function endInTime(over: AbortController, begunAt: number, timeoutSeconds: number): Promise<void> {
    const timeoutMs = timeoutSeconds * 1000;
    for (;;) {
      const livedMs = clock.now() - begunAt;
      const behindMs = Math.min(msSince(completeness.until), livedMs);
      const leftMs = Math.min(
        silenceLimitMs - silentForMs(),
        limitBehindMs - behindMs,
        timeoutMs + overdueMs - livedMs,
      );
      if (leftMs <= 0) {
        over.abort(reasonToEnd(behindMs, livedMs, timeoutMs));
        return;
      }
      try {
        await clock.sleep(leftMs, over.signal);
      } catch {
        return;
      }
    }
  }

  function reasonToEnd(behindMs: number, livedMs: number, timeoutMs: number): KubernetesApiError {
    // What it has told may be old: a list must follow, as after anything that can't be read.
    if (behindMs >= limitBehindMs) {
      return new KubernetesApiError(
        'bad-reply',
        `WATCH ${of.resource}: not shown to be where the Kubernetes API was ${limitBehindMs} ms ago`,
      );
    }
    if (livedMs >= timeoutMs + overdueMs) {
      return new KubernetesApiError(
        'bad-reply',
        `WATCH ${of.resource}: not ended by the Kubernetes API at its time-out of ${timeoutMs} ms`,
      );
    }
    return new KubernetesApiError(
      'timeout',
      `WATCH ${of.resource}: the Kubernetes API was silent for ${silenceLimitMs} ms`,
    );
  }

  async function run(): Promise<void> {
    while (!stopped.signal.aborted) {
      let retryInMs = 0;
      // After too long a gap the watch would tell all that happened, but vouch for the old until it has.
      const resumeFrom = isRecent() ? resourceVersion : undefined;
      let step: 'list' | 'watch' = 'list';
      try {
        const from = resumeFrom ?? (await readList());
        step = 'watch';
        const healthy = await watch(from, resumeFrom !== undefined);
        if (!healthy) retryInMs = backoff.next();
        report({ type: 'watch-ended' });
      } catch (error) {
        if (stopped.signal.aborted) return;
        if (isUnreadable(error)) resourceVersion = undefined;
        // Gone is the answer of a healthy API server to an old question; to a new one it is a failure like others.
        if (!isGone(error) || resumeFrom === undefined) retryInMs = backoff.next() + retryAfterOf(error);
        report({ type: 'failed', step, error, relist: resourceVersion === undefined, retryInMs });
      }
      try {
        await clock.sleep(retryInMs, stopped.signal);
      } catch {
        // Stopped.
      }
    }
  }

  async function waitUntilSynced(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    const { promise: aborted, reject } = Promise.withResolvers<never>();
    const onAbort = (): void => {
      reject(signal?.reason);
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      await Promise.race([synced.promise, aborted]);
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
  }

  return {
    start: () => {
      running ??= run();
    },
    stop: async () => {
      stopped.abort();
      synced.reject(new Error(`the reflector of ${of.resource} was stopped`));
      await running;
    },
    isFresh,
    state: () => ({
      synced: isSynced,
      fresh: isFresh(),
      resourceVersion,
      lastHeardAt: lastHeard?.now,
      completeUntil: completeUntil(),
    }),
    waitUntilSynced,
  };
}

/** What can't be read may be what matters. */
function isUnreadable(error: unknown): boolean {
  return !(error instanceof KubernetesApiError) || error.code === 'bad-reply';
}

function isGone(error: unknown): boolean {
  return error instanceof KubernetesApiError && error.httpStatus === 410;
}

function retryAfterOf(error: unknown): number {
  return error instanceof TooManyRequestsError ? Math.min(error.retryAfterMs ?? 0, MAX_RETRY_AFTER_MS) : 0;
}
