import type { LookUpPod, PodView } from '../../authentication/kubernetes-access.ts';
import { Backoff } from '../../concurrency/backoff.ts';
import type { Clock } from '../../time/clock.ts';
import { KubernetesApiError } from '../kubernetes-api-error.ts';
import { readAnyPod } from '../read-reply.ts';
import { TooManyRequestsError } from '../error-of-status.ts';
import { Completeness } from './completeness.ts';
import type { PodSource } from './pod-source.ts';
import { PodStore } from './pod-store.ts';
import { LineSplitter, readWatchEvent, type WatchEvent } from './watch-events.ts';

/**
 * The API server sends a bookmark about every minute (defaultBookmarkFrequency in its storage/cacher; give or take two
 * seconds), to every watch that asks for them.
 */
export const DEFAULT_SILENCE_LIMIT_MS = 90_000;
/** client-go's least is 300 s and its most twice that; the API server ends a watch by itself after 30 to 60 minutes. */
const WATCH_SECONDS = { least: 240, most: 480 };
/** How long after its own time-out a watch may still go on. */
const OVERDUE_MS = 30_000;
/** How often the API server is asked how far it is. */
const QUESTION_INTERVAL_MS = 30_000;
/** The watch is not yet where the API server was this long ago: a list must tell. An idle watch moves once a minute. */
const BEHIND_MS = 150_000;
/** What may be missing more than this is not vouched for. Longer, by the time for a list. */
export const MAX_LAG_MS = BEHIND_MS + 30_000;
/** A watch that lived this long was a success: what ends it is a first failure. */
const HEALTHY_WATCH_MS = 5_000;
const BACKOFF = { firstMs: 500, capMs: 30_000 };
const MAX_RETRY_AFTER_MS = 60_000;

export type PodReflectorEvent =
  | { readonly type: 'listed'; readonly pods: number; readonly pages: number; readonly durationMs: number }
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
    }
  /** `onGone` threw. */
  | { readonly type: 'callback-failed'; readonly error: unknown };

export interface PodReflectorOptions {
  readonly source: PodSource;
  /** Only these annotations are kept. */
  readonly annotationKeys: readonly string[];
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  /**
   * A pod that was held is gone, replaced by another of its name, no longer selected, or has ended (Succeeded, Failed).
   * Once for each UID, after the change can be seen in `lookUp`.
   */
  readonly onGone?: (uid: string) => void;
  readonly onEvent?: (event: PodReflectorEvent) => void;
  /** A watch that is silent for this long is given up; default {@link DEFAULT_SILENCE_LIMIT_MS}. */
  readonly silenceLimitMs?: number;
}

export interface PodReflectorState {
  /** A whole list has been read and a watch has begun after it. Stays true. */
  readonly synced: boolean;
  /** Synced, heard from the API server lately, and nothing older than {@link MAX_LAG_MS} is missing: `lookUp` answers. */
  readonly fresh: boolean;
  readonly pods: number;
  /** Up to where everything was seen; undefined until the first list is whole, and while a new one must be read. */
  readonly resourceVersion: string | undefined;
  /** ms since the epoch. */
  readonly lastHeardAt: number | undefined;
}

export interface PodReflector {
  /** Begins, once. Never throws, and nothing that fails ends it. */
  readonly start: () => void;
  readonly stop: () => Promise<void>;
  /** Synchronous, without I/O. */
  readonly lookUp: LookUpPod;
  readonly state: () => PodReflectorState;
  /** Resolves when synced. Rejects with the reason of the signal, or when the reflector is stopped first. */
  readonly waitUntilSynced: (signal?: AbortSignal) => Promise<void>;
  /** All pods as last seen, whether fresh or not: look at `state()`. */
  readonly list: () => Iterable<PodView>;
}

/**
 * Keeps the pods of the cluster in memory by a paged LIST and a WATCH. In the place of client-node's informer, which
 * (2.0.1) ends at the first error, and neither pages, trims, compares UIDs nor says when it is synced.
 *
 * Nothing heard for the silence limit and a third of it, or no proof for {@link MAX_LAG_MS} that the watch is not behind:
 * `lookUp` gives undefined, and goes on only after a new consistent list. An event that can't be read also leads to a new
 * list, for it may be the one that matters, and so does a watch that the API server doesn't end when it should.
 */
export function createPodReflector(options: PodReflectorOptions): PodReflector {
  const { source, clock, random, silenceLimitMs = DEFAULT_SILENCE_LIMIT_MS } = options;
  const freshForMs = silenceLimitMs + silenceLimitMs / 3;
  const stopped = new AbortController();
  const synced = Promise.withResolvers<undefined>();
  // Nobody need wait for it.
  synced.promise.catch(() => undefined);
  const backoff = new Backoff({ ...BACKOFF, random });
  const completeness = new Completeness();
  const store = new PodStore({ annotationKeys: options.annotationKeys, onGone: reportGone });
  let running: Promise<void> | undefined;
  let isSynced = false;
  let resourceVersion: string | undefined;
  let lastHeardAt: number | undefined;

  function report(event: PodReflectorEvent): void {
    try {
      options.onEvent?.(event);
    } catch {
      // There is nobody left to tell.
    }
  }

  function reportGone(uid: string): void {
    try {
      options.onGone?.(uid);
    } catch (error) {
      report({ type: 'callback-failed', error });
    }
  }

  /** Nobody can tell how long ago it was once the clock has been set back: then too long. */
  function msSince(time: number | undefined): number {
    const ms = time === undefined ? -1 : clock.now() - time;
    return ms < 0 ? Number.POSITIVE_INFINITY : ms;
  }

  const silentForMs = (): number => msSince(lastHeardAt);
  const isRecent = (): boolean => silentForMs() <= freshForMs && msSince(completeness.until) <= MAX_LAG_MS;
  const isFresh = (): boolean => isSynced && !stopped.signal.aborted && isRecent();

  async function readList(): Promise<string> {
    const startedAt = clock.now();
    resourceVersion = undefined;
    const replacement = store.beginReplacement();
    let first: string | undefined;
    let continueFrom: string | undefined;
    let pages = 0;
    do {
      const page = await source.listPage(continueFrom, stopped.signal);
      for (const pod of page.pods) replacement.put(readAnyPod(pod));
      // All pages are of one version. Should they not be, the watch from the first leaves nothing out.
      first ??= page.resourceVersion;
      continueFrom = page.continueFrom;
      pages += 1;
    } while (continueFrom !== undefined);
    replacement.complete();
    resourceVersion = first;
    lastHeardAt = startedAt;
    completeness.restart(startedAt);
    report({ type: 'listed', pods: store.size, pages, durationMs: clock.now() - startedAt });
    return first;
  }

  /** Resolves when the watch ends in good order: true if the next step may be taken at once. */
  async function watch(from: string, isResumed: boolean): Promise<boolean> {
    const over = new AbortController();
    const signal = AbortSignal.any([stopped.signal, over.signal]);
    const { least, most } = WATCH_SECONDS;
    const timeoutSeconds = Math.round(least + random() * (most - least));
    let companions: Promise<unknown> | undefined;
    let begunAt = Number.POSITIVE_INFINITY;
    const isHealthy = (): boolean => clock.now() - begunAt >= HEALTHY_WATCH_MS;
    try {
      const body = await source.openWatch({ resourceVersion: from, timeoutSeconds }, signal);
      // The answer itself may have been long in coming.
      if (isResumed && !isRecent()) return true;
      begunAt = clock.now();
      lastHeardAt = begunAt;
      isSynced = true;
      synced.resolve(undefined);
      report({ type: 'watching' });
      companions = Promise.all([endInTime(over, begunAt, timeoutSeconds), askHowFar(over.signal)]);
      const lines = new LineSplitter();
      for await (const chunk of body) {
        for (const line of lines.push(chunk)) apply(readWatchEvent(line));
      }
      return isHealthy();
    } finally {
      if (isHealthy()) backoff.reset();
      // Also closes the connection of a watch that was refused or left.
      over.abort();
      await companions;
    }
  }

  function apply(event: WatchEvent): void {
    if (event.type === 'put') store.put(event.pod);
    else if (event.type === 'delete') store.delete(event.pod);
    resourceVersion = event.resourceVersion;
    lastHeardAt = clock.now();
    completeness.reach(event.resourceVersion);
    report({ type: event.type });
  }

  /** The watch is told apart from one that is held up somewhere, however lively that may look. */
  async function askHowFar(signal: AbortSignal): Promise<void> {
    for (;;) {
      const askedAt = clock.now();
      try {
        completeness.learn(await source.readVersion(signal), askedAt);
        if (resourceVersion !== undefined) completeness.reach(resourceVersion);
      } catch {
        // No answer, no proof: without one for too long the watch is over.
      }
      try {
        await clock.sleep(QUESTION_INTERVAL_MS, signal);
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
        BEHIND_MS - behindMs,
        timeoutMs + OVERDUE_MS - livedMs,
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
    if (behindMs >= BEHIND_MS) {
      return new KubernetesApiError(
        'bad-reply',
        `WATCH pods: not shown to be where the Kubernetes API was ${BEHIND_MS} ms ago`,
      );
    }
    if (livedMs >= timeoutMs + OVERDUE_MS) {
      return new KubernetesApiError(
        'bad-reply',
        `WATCH pods: not ended by the Kubernetes API at its time-out of ${timeoutMs} ms`,
      );
    }
    return new KubernetesApiError(
      'timeout',
      `WATCH pods: the Kubernetes API was silent for ${silenceLimitMs} ms`,
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
      synced.reject(new Error('the pod reflector was stopped'));
      await running;
    },
    lookUp: (namespace, name) => (isFresh() ? store.get(namespace, name) : undefined),
    state: () => ({
      synced: isSynced,
      fresh: isFresh(),
      pods: store.size,
      resourceVersion,
      lastHeardAt,
    }),
    waitUntilSynced,
    list: () => store.values(),
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
