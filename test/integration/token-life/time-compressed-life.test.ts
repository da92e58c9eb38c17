import { describe, expect, it } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import { startReadLoop } from '../../stack/stack.ts';
import { endAllFetches, startFetch } from '../fetch/fetch-process.ts';
import { freePort, waitFor } from '../serve-process.ts';
import { CANCELLED_AFTER_MS, metricOf, numbersOf, SpedUpWorld } from './sped-up-world.ts';

const USER = 'user190';
const RENEW_INTERVAL_MS = 20_000;
const MAX_LIFETIME_MS = 90_000;
const LEFT_AT_A_KILL_MS = 0.7 * RENEW_INTERVAL_MS;
/** `npm run soak` makes it ten minutes. */
const SECONDS = Number(process.env['KERBRIDGE_SOAK_SECONDS'] ?? 170);
/** Between two things that happen to the servers: `serve` is killed, the pair fails over, `serve` is killed, … */
const EVENT_EVERY_S = 42;

describe(`${SECONDS} s of a pod whose tokens live for ${MAX_LIFETIME_MS / 1000} s`, () => {
  it(
    'nobody notices that servers are killed and fail over; a first login ends; the pod’s end is that of its tokens',
    async () => {
      await using world = await SpedUpWorld.create({
        part: 'ha',
        renewIntervalMs: RENEW_INTERVAL_MS,
        maxLifetimeMs: MAX_LIFETIME_MS,
      });
      const { serveWorld, control, cluster, stack } = world;
      const port = await freePort();
      let serve = await world.serve({ port });
      const { pod, serviceAccountToken } = await serveWorld.pod({ user: USER });
      const tokenFile = await world.file('hadoop.token');
      const fetching = startFetch([
        '--watch',
        `--url=${serve.url}`,
        `--output=${tokenFile}`,
        `--service-account-token-file=${await world.file('service-account-token', serviceAccountToken)}`,
      ]);
      try {
        await fetching.hear(/written/);
        const [first] = await world.known(USER);
        if (first === undefined) throw new Error('no token');
        await using reader = await startReadLoop(stack, {
          confDir: cluster.confDir,
          tokenFile,
          path: `/tmp/${serveWorld.namespace.name}`,
        });
        await waitFor(() => reader.readings('first').length > 0);
        const begun = Date.now();

        const happened = { kills: 0, failovers: 0 };
        const absences: Absence[] = [];
        let active = 0;
        let lost = 0;
        while (Date.now() + EVENT_EVERY_S * 1000 < begun + SECONDS * 1000) {
          await delay(EVENT_EVERY_S * 1000);
          if ((happened.kills + happened.failovers) % 3 === 1) {
            const other = 1 - active;
            if (happened.failovers > 0) await control.start(other);
            await world.speedUp();
            await control.stop(active);
            await control.setActive(other);
            active = other;
            happened.failovers += 1;
          } else {
            lost += await metricOf(serve, 'kerbridge_delegation_tokens_lost_total');
            const used = reader.readings('fresh').at(-1)?.sequenceNumbers ?? [];
            await justRenewed(world, [...used, first.sequenceNumber], active);
            const killedAt = Date.now();
            expect((await serve.kill()).signal).toBe('SIGKILL');
            serve = await world.serve({ port });
            absences.push({ from: killedAt, to: Date.now() });
            happened.kills += 1;
          }
        }
        await delay(Math.max(0, begun + SECONDS * 1000 - Date.now()));
        lost += await metricOf(serve, 'kerbridge_delegation_tokens_lost_total');

        const fresh = reader.readings('fresh');
        const kept = reader.readings('first');
        const generations = new Set(fresh.flatMap(({ sequenceNumbers }) => sequenceNumbers)).size;
        const longestMs = Math.max(...fresh.map(({ tookMs }) => tookMs));
        process.stderr.write(
          `${fresh.length} readings with fresh logins of ${generations} generations, the longest ${longestMs} ms; ` +
            `serve away for ${absences.map(({ from, to }) => to - from).join(', ')} ms; ` +
            `${happened.failovers} failovers; ${lost} tokens lost\n`,
        );
        expect(fresh.filter(({ outcome, at }) => outcome !== 'read' && !isTooLong(at, absences))).toEqual([]);
        expect(fresh.length).toBeGreaterThan(SECONDS / 2);
        expect(generations).toBeGreaterThanOrEqual(Math.floor(SECONDS / 20));
        expect(happened.kills).toBeGreaterThanOrEqual(2);
        expect(happened.failovers).toBeGreaterThanOrEqual(1);
        expect(lost).toBe(0);
        // Renewed to the end of its life, by successors that found it in the store; and no further.
        const before = kept.filter(({ at, tookMs }) => at + tookMs < first.maxDate);
        expect(new Set(before.map(({ outcome }) => outcome))).toEqual(new Set(['read']));
        const after = kept.filter(({ at }) => at > first.maxDate + 1_000);
        expect(new Set(after.map(({ outcome }) => outcome))).toEqual(new Set(['not-authenticated']));
        expect(new Set(kept.map(({ sequenceNumbers }) => String(sequenceNumbers)))).toEqual(
          new Set([String(first.sequenceNumber)]),
        );

        // The end of the pod.
        await fetching.stop();
        const held = await world.known(USER, active);
        expect(await world.stored(USER)).toEqual(expect.arrayContaining(numbersOf(held)));
        await serveWorld.namespace.deletePod(pod, 0);
        const deletedAt = Date.now();
        await waitFor(
          async () => (await world.known(USER, active)).length === 0,
          CANCELLED_AFTER_MS + 10_000,
        );
        const tookMs = Date.now() - deletedAt;
        process.stderr.write(`${held.length} tokens were cancelled ${tookMs} ms after the end of the pod\n`);
        // Not by the end of their lives.
        expect(held.filter(({ maxDate }) => maxDate > deletedAt + tookMs).length).toBeGreaterThan(0);
        await waitFor(async () => (await world.stored(USER)).length === 0);
        expect(
          await metricOf(serve, 'kerbridge_delegation_token_cancels_total', { outcome: 'cancelled' }),
        ).toBeGreaterThan(0);
        expect(await metricOf(serve, 'kerbridge_delegation_tokens_lost_total')).toBe(0);
      } finally {
        await endAllFetches();
      }
    },
    (SECONDS + 180) * 1000,
  );
});

interface Absence {
  readonly from: number;
  readonly to: number;
}

/** For longer than what is left of a renewal: on a machine that is that slow, nobody can renew in time. */
function isTooLong(at: number, absences: readonly Absence[]): boolean {
  const longest = absences.filter(({ from, to }) => to - from > LEFT_AT_A_KILL_MS);
  return longest.some(({ from, to }) => at > from && at < to + 2_000);
}

/** A busy machine takes longer to start a process than an idle one, and nobody renews meanwhile. */
async function justRenewed(world: SpedUpWorld, numbers: readonly number[], nn: number): Promise<void> {
  const haveTime = async (): Promise<boolean> => {
    const used = (await world.known(USER, nn)).filter(({ sequenceNumber }) =>
      numbers.includes(sequenceNumber),
    );
    const leftMs = used.map(({ renewDate }) => renewDate - Date.now());
    return Math.min(...leftMs) > LEFT_AT_A_KILL_MS;
  };
  // Two that are renewed in turn never are at the same time: then it is killed all the same.
  await waitFor(haveTime, 2 * RENEW_INTERVAL_MS).catch(() => undefined);
}
