import type { LookUpPod, PodView } from '../../authentication/kubernetes-access.ts';
import type { Clock } from '../../time/clock.ts';
import { readAnyPod } from '../read-reply.ts';
import type { ObjectKind } from '../reflector/object-kind.ts';
import type { ObjectSource } from '../reflector/object-source.ts';
import {
  createReflector,
  type Reflector,
  type ReflectorEvent,
  type ReflectorState,
  type ReflectorTiming,
} from '../reflector/reflector.ts';
import { PodStore } from './pod-store.ts';

/**
 * The API server sends a bookmark about every minute (defaultBookmarkFrequency in its storage/cacher; give or take two
 * seconds), to every watch that asks for them.
 */
export const DEFAULT_SILENCE_LIMIT_MS = 90_000;
/** An idle watch moves once a minute. */
const BEHIND_MS = 150_000;
/** What may be missing more than this is not vouched for. */
export const MAX_LAG_MS = BEHIND_MS + 30_000;

const TIMING: ReflectorTiming = {
  silenceLimitMs: DEFAULT_SILENCE_LIMIT_MS,
  // client-go's least is 300 s and its most twice that; the API server ends a watch by itself after 30 to 60 minutes.
  watchSeconds: { least: 240, most: 480 },
  overdueMs: 30_000,
  questionIntervalMs: 30_000,
  behindMs: BEHIND_MS,
  maxLagMs: MAX_LAG_MS,
  retryCapMs: 30_000,
};

export const POD: ObjectKind<PodView> = { kind: 'Pod', resource: 'pods', read: readAnyPod };

export type PodReflectorEvent =
  | Exclude<ReflectorEvent, { readonly type: 'listed' }>
  | { readonly type: 'listed'; readonly pods: number; readonly pages: number; readonly durationMs: number }
  /** `onGone` threw. */
  | { readonly type: 'callback-failed'; readonly error: unknown };

export interface PodReflectorOptions {
  readonly source: ObjectSource;
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

export interface PodReflectorState extends Omit<ReflectorState, 'completeUntil'> {
  readonly pods: number;
}

export interface PodReflector extends Pick<Reflector, 'start' | 'stop' | 'waitUntilSynced'> {
  /** Synchronous, without I/O. */
  readonly lookUp: LookUpPod;
  readonly state: () => PodReflectorState;
  /** All pods as last seen, whether fresh or not: look at `state()`. */
  readonly list: () => Iterable<PodView>;
}

/** Keeps the pods of the cluster in memory. While it is not fresh, `lookUp` gives undefined. */
export function createPodReflector(options: PodReflectorOptions): PodReflector {
  const { source, clock, random, silenceLimitMs = DEFAULT_SILENCE_LIMIT_MS } = options;

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

  const store = new PodStore({ annotationKeys: options.annotationKeys, onGone: reportGone });
  const reflector = createReflector({
    source,
    of: POD,
    target: store,
    timing: { ...TIMING, silenceLimitMs },
    clock,
    random,
    onEvent: (event) => {
      if (event.type !== 'listed') report(event);
      else {
        const { type, objects: pods, pages, durationMs } = event;
        report({ type, pods, pages, durationMs });
      }
    },
  });

  return {
    start: reflector.start,
    stop: reflector.stop,
    waitUntilSynced: reflector.waitUntilSynced,
    lookUp: (namespace, name) => (reflector.isFresh() ? store.get(namespace, name) : undefined),
    state: () => {
      const { synced, fresh, resourceVersion, lastHeardAt } = reflector.state();
      return { synced, fresh, pods: store.size, resourceVersion, lastHeardAt };
    },
    list: () => store.values(),
  };
}
