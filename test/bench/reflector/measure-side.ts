// One side of the measurement, in a process of its own so that its heap is its own:
//   node --expose-gc measure-side.ts SIDE KUBECONFIG
// Prints one SideFigures as JSON.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { PodView } from '../../../src/authentication/kubernetes-access.ts';
import { loadKubeConfig } from '../../../src/kubernetes/load-kube-config.ts';
import {
  createPodReflector,
  POD,
  type PodReflectorEvent,
} from '../../../src/kubernetes/pod-reflector/pod-reflector.ts';
import {
  createHttpObjectSource,
  type ObjectSource,
} from '../../../src/kubernetes/reflector/object-source.ts';
import { Transport } from '../../../src/kubernetes/transport.ts';
import { systemClock } from '../../../src/time/clock.ts';
import { nameOf, namespaceOf, SENT_ANNOTATION, SIGNATURE_ANNOTATION, USER_ANNOTATION } from './pod-json.ts';

export const sides = ['reflector', 'reflector with signatures', 'whole objects'] as const;
export type Side = (typeof sides)[number];
export const EVENT_COUNT = 10_000;

export interface SideFigures {
  readonly pods: number;
  readonly pages: number;
  readonly syncMs: number;
  readonly heapBytes: number;
  readonly rssBytes: number;
  /** Of the event loop while it synced, in ms. */
  readonly delayMs: Percentiles;
  /** Not of the baseline. */
  readonly events: { readonly perSecond: number; readonly delayMs: Percentiles } | undefined;
}

interface Percentiles {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

const [side, kubeconfig = ''] = process.argv.slice(2);
const kubeConfig = loadKubeConfig({ kubeconfig });
const server = kubeConfig.getCurrentCluster()?.server ?? '';
const transport = new Transport({ kubeConfig, timeoutMs: 5_000 });
const source = createHttpObjectSource({ transport, server, of: POD });

const before = memory();
const delay = monitorEventLoopDelay({ resolution: 1 });
delay.enable();
const startedAt = performance.now();
const { pods, pages, measureEvents } =
  side === 'whole objects' ? await keepWholeObjects(source) : await reflect(source);
const syncMs = performance.now() - startedAt;
delay.disable();
const after = memory();
const ms = (nanoseconds: number): number => nanoseconds / 1e6;
const figures: SideFigures = {
  pods: pods(),
  pages,
  syncMs,
  heapBytes: after.heapUsed - before.heapUsed,
  rssBytes: after.rss - before.rss,
  delayMs: { p50: ms(delay.percentile(50)), p99: ms(delay.percentile(99)), max: ms(delay.max) },
  events: await measureEvents?.(),
};
process.stdout.write(`${JSON.stringify(figures)}\n`);
process.exit(0);

async function reflect(podSource: ObjectSource) {
  let onPut = (): void => undefined;
  let listed: Extract<PodReflectorEvent, { type: 'listed' }> | undefined;
  const reflector = createPodReflector({
    source: podSource,
    annotationKeys: [
      USER_ANNOTATION,
      SENT_ANNOTATION,
      ...(side === 'reflector with signatures' ? [SIGNATURE_ANNOTATION] : []),
    ],
    clock: systemClock,
    random: Math.random,
    onEvent: (event) => {
      if (event.type === 'listed') listed = event;
      if (event.type === 'put') onPut();
      if (event.type === 'failed') process.stderr.write(`${String(event.error)}\n`);
    },
  });
  reflector.start();
  await reflector.waitUntilSynced();

  async function measureReflectorEvents(): Promise<SideFigures['events']> {
    const delays: number[] = [];
    const all = Promise.withResolvers<void>();
    let firstAt = 0;
    onPut = () => {
      const now = performance.timeOrigin + performance.now();
      if (delays.length === 0) firstAt = now;
      const pod: PodView | undefined = reflector.lookUp(namespaceOf(delays.length), nameOf(delays.length));
      delays.push(now - Number(pod?.annotations[SENT_ANNOTATION]));
      if (delays.length === EVENT_COUNT) all.resolve();
    };
    await fetch(`${server}/events?count=${EVENT_COUNT}`, { method: 'POST' });
    await all.promise;
    const seconds = (performance.timeOrigin + performance.now() - firstAt) / 1000;
    delays.sort((a, b) => a - b);
    const at = (part: number): number => delays[Math.floor(part * (delays.length - 1))] ?? Number.NaN;
    return { perSecond: EVENT_COUNT / seconds, delayMs: { p50: at(0.5), p99: at(0.99), max: at(1) } };
  }
  return {
    pods: () => reflector.state().pods,
    pages: listed?.pages ?? 0,
    measureEvents: measureReflectorEvents,
  };
}

/** What a plain reflector does: every object as it came, by its key. */
async function keepWholeObjects(podSource: ObjectSource) {
  const kept = new Map<string, unknown>();
  const { signal } = new AbortController();
  let readPages = 0;
  let continueFrom: string | undefined;
  do {
    const page = await podSource.listPage(continueFrom, signal);
    for (const pod of page.items as { metadata: { namespace: string; name: string } }[]) {
      kept.set(`${pod.metadata.namespace}/${pod.metadata.name}`, pod);
    }
    continueFrom = page.continueFrom;
    readPages += 1;
  } while (continueFrom !== undefined);
  return { pods: () => kept.size, pages: readPages, measureEvents: undefined };
}

function memory(): NodeJS.MemoryUsage {
  // Twice: what the first run finds dead in old space may hold on to more.
  globalThis.gc?.();
  globalThis.gc?.();
  return process.memoryUsage();
}
