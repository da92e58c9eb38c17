import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Bench } from '../bench.ts';
import { ask } from '../http/process.ts';
import { median } from '../http/world.ts';
import type { DelayFigures, FilledFigures, Question, RenewedFigures } from './scale-side.ts';

const MANY = 100_000;
const FEW = 1_000;
const ROUNDS = 5;
const RENEW: Question = { type: 'renew', rounds: 5, perRound: FEW };
const WAIT_MS = 10_000;
/** In a run of all parts. */
const SHORT = { rounds: 3, waitMs: 5_000 };

/**
 * 100,000 live tokens in one process: what each takes, how long the event loop is held while they are renewed at the pace of
 * real life, and what a renewal costs beside 1,000 tokens.
 */
export const scaleBench: Bench = {
  name: 'scale',
  run: async (print, record, { isNamed }) => {
    const { rounds, waitMs } = isNamed ? { rounds: ROUNDS, waitMs: WAIT_MS } : SHORT;
    const many = startTokens(MANY, 'issued');
    const few = startTokens(FEW, 'issued');
    try {
      await filled(few);
      const { bytes, rssBytes, seconds } = await filled(many);
      print(`${MANY} tokens issued, renewed and handed out within ${seconds.toFixed(0)} s`);
      print(
        `each ${round(bytes / MANY)} bytes of heap and external memory, ${round(rssBytes / MANY)} of RSS`,
      );
      record('bytesPerLiveToken', bytes / MANY);

      // Beside which the next one is to be read.
      const idle = isNamed ? await wait(few, { pods: 0, forMs: waitMs }) : undefined;
      const renewing = await wait(many, { pods: 0, forMs: waitMs });
      const looking = await wait(many, { pods: MANY, forMs: waitMs });
      if (idle !== undefined) print(`event loop, 1,000 tokens: ${describeDelay(idle)}`);
      print(`event loop, ${MANY} tokens: ${describeDelay(renewing)}`);
      print(`the same, and ${MANY} pods looked at: ${describeDelay(looking)}`);
      record('loopDelayP99Ms', renewing.p99Ms);
      record('loopDelayLookingP99Ms', looking.p99Ms);

      const ratios: number[] = [];
      const costs: Record<'few' | 'many', number[]> = { few: [], many: [] };
      for (let turn = 0; turn <= rounds; turn += 1) {
        const order = turn % 2 === 0 ? (['few', 'many'] as const) : (['many', 'few'] as const);
        const cost = { few: 0, many: 0 };
        for (const side of order) {
          const figures = (await ask(side === 'few' ? few : many, RENEW)) as RenewedFigures;
          cost[side] = figures.cpuMicros;
        }
        // The first turn warms both up.
        if (turn === 0) continue;
        costs.few.push(cost.few);
        costs.many.push(cost.many);
        ratios.push(cost.many / cost.few);
      }
      print(
        `one renewal: ${median(costs.few).toFixed(1)} µs of CPU beside ${FEW} tokens, ` +
          `${median(costs.many).toFixed(1)} beside ${MANY}`,
      );
      record('renewalCostRatio100kTo1k', median(ratios));
    } finally {
      for (const side of [few, many]) if (side.connected) side.disconnect();
    }
    if (!isNamed) return;
    const stored = startTokens(MANY, 'stored');
    try {
      const { bytes } = await filled(stored);
      print(`after a restart, read from Secrets: ${round(bytes / MANY)} bytes each`);
      record('bytesPerStoredToken', bytes / MANY);
    } finally {
      if (stored.connected) stored.disconnect();
    }
  },
};

const round = (value: number): string => value.toFixed(0);

function startTokens(count: number, how: 'issued' | 'stored'): ChildProcess {
  return fork(join(import.meta.dirname, 'scale-side.ts'), [String(count), how], {
    execArgv: ['--expose-gc'],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
}

async function filled(side: ChildProcess): Promise<FilledFigures> {
  const ended = new AbortController();
  const figures = once(side, 'message', ended).then(([message]) => message as FilledFigures);
  const exit = once(side, 'exit', ended).then(([code]): never => {
    throw new Error(`the tokens' process ended with ${String(code)}`);
  });
  try {
    return await Promise.race([figures, exit]);
  } finally {
    ended.abort();
    await Promise.allSettled([figures, exit]);
  }
}

async function wait(
  side: ChildProcess,
  order: { readonly pods: number; readonly forMs: number },
): Promise<DelayFigures & { readonly forMs: number }> {
  return { ...((await ask(side, { type: 'wait', ...order })) as DelayFigures), forMs: order.forMs };
}

function describeDelay(figures: DelayFigures & { readonly forMs: number }): string {
  const { forMs, renewals, looks, p50Ms, p99Ms, maxMs, longestGcMs } = figures;
  const perSecond = renewals / (forMs / 1000);
  return (
    `${perSecond.toFixed(1)} renewals/s; p50 ${p50Ms.toFixed(1)} ms, p99 ${p99Ms.toFixed(1)} ms, ` +
    `most ${maxMs.toFixed(1)} ms, longest collection of garbage ${longestGcMs.toFixed(1)} ms` +
    (looks > 1 ? `; ${looks} looks` : '')
  );
}
