// So many tokens in a process of their own:
//   node --expose-gc scale-side.ts COUNT issued|stored
// It says what they take, and then answers the questions of the process that started it.
import { monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { MemoryTokenStore } from '../../../src/stores/memory-store.ts';
import { tellParent } from '../http/process.ts';
import { ManyTokens, requestOf } from './many-tokens.ts';
import { StoredAlready } from './stored-already.ts';

export interface FilledFigures {
  /** Of heap and external memory, more than before. */
  readonly bytes: number;
  readonly rssBytes: number;
  readonly seconds: number;
}

export type Question =
  /** Renewals one after the other as they would be due, as fast as it goes. */
  | { readonly type: 'renew'; readonly rounds: number; readonly perRound: number }
  /** Renewals at real pace; with so many pods that are looked at every second. */
  | { readonly type: 'wait'; readonly forMs: number; readonly pods: number };

export interface RenewedFigures {
  readonly cpuMicros: number;
}

export interface DelayFigures {
  readonly renewals: number;
  readonly looks: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** The longest collection of garbage, ms. */
  readonly longestGcMs: number;
}

const count = Number(process.argv[2]);
const how = process.argv[3];
const before = memory();
const startedAt = performance.now();
const many = new ManyTokens(count, (clock, source) =>
  how === 'stored' ? new StoredAlready({ count, clock, source }) : new MemoryTokenStore({ clock }),
);
await many.fill();
const seconds = (performance.now() - startedAt) / 1000;
const after = memory();
process.on('message', (question) => void answer(question as Question));
process.on('disconnect', () => process.exit(0));
tellParent({
  bytes: after.bytes - before.bytes,
  rssBytes: after.rssBytes - before.rssBytes,
  seconds,
} satisfies FilledFigures);

async function answer(question: Question): Promise<void> {
  tellParent(question.type === 'renew' ? await renew(question) : await wait(question));
}

async function renew({ rounds, perRound }: Question & { type: 'renew' }): Promise<RenewedFigures> {
  let renewals = 0;
  let micros = 0;
  for (let round = 0; round < rounds; round += 1) {
    const { user, system } = await many.renewUntil(perRound);
    renewals += perRound;
    micros += user + system;
  }
  return { cpuMicros: micros / renewals };
}

async function wait({ forMs, pods }: Question & { type: 'wait' }): Promise<DelayFigures> {
  many.service.answerMs = 1;
  many.pods =
    pods === 0
      ? undefined
      : Array.from({ length: pods }, (_, n) => {
          const { namespace, podUid, stampedUser } = requestOf(n);
          return { namespace, uid: podUid, stampedUser, createdAt: many.clock.now() };
        });
  await many.renewUntil(1);
  let looks = 0;
  let longestGcMs = 0;
  many.onLook = () => {
    looks += 1;
  };
  const collections = new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) longestGcMs = Math.max(longestGcMs, duration);
  });
  collections.observe({ entryTypes: ['gc'] });
  const renewalsBefore = many.renewals;
  const histogram = monitorEventLoopDelay({ resolution: 1 });
  histogram.enable();
  await delay(forMs);
  histogram.disable();
  collections.disconnect();
  many.onLook = () => {};
  many.pods = undefined;
  many.service.answerMs = 0;
  const ms = (nanoseconds: number): number => nanoseconds / 1e6;
  return {
    renewals: many.renewals - renewalsBefore,
    looks,
    p50Ms: ms(histogram.percentile(50)),
    p99Ms: ms(histogram.percentile(99)),
    maxMs: ms(histogram.max),
    longestGcMs,
  };
}

function memory(): { readonly bytes: number; readonly rssBytes: number } {
  globalThis.gc?.();
  globalThis.gc?.();
  const { heapUsed, external, rss } = process.memoryUsage();
  return { bytes: heapUsed + external, rssBytes: rss };
}
