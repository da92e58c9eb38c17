import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { join } from 'node:path';
import type { LifeStep } from '../../../src/delegation-tokens/token-life.ts';
import type { IssuedToken } from '../../stack/stack.ts';
import type { TestPod } from '../kubernetes-objects.ts';
import { askCredentials } from '../serve/serve-world.ts';
import { type ServeProcess, waitFor } from '../serve-process.ts';
import { metricOf, numbersOf, SpedUpWorld } from './sped-up-world.ts';

const DIES = join(import.meta.dirname, 'serve-that-dies.ts');
const USER = 'user100';
/** Its pod, in another namespace, lives through it all. */
const WITNESS = 'user101';
const RENEW_INTERVAL_MS = 60_000;
const MAX_LIFETIME_MS = 175_000;
/** A token is handed out for nine tenths of a seventh of its life. */
const HANDED_OUT_MS = (0.9 * MAX_LIFETIME_MS) / 7;
/** For what takes seconds on a machine that has nothing else to do. */
const PATIENCE_MS = 90_000;

interface Marks {
  readonly number: number;
  readonly retired: boolean;
  readonly tombstoned: boolean;
}

/**
 * Each `serve` is killed with SIGKILL when it has made one step in the life of a token, and the next one goes on from
 * there: one store, one test after the other.
 */
describe('serve that is killed', () => {
  let world: SpedUpWorld;
  let pod: TestPod;
  let serviceAccountToken: string;
  let witness: { readonly pod: TestPod; readonly number: number };
  let orphan: IssuedToken;
  let first: number;
  let second: number;

  beforeAll(async () => {
    world = await SpedUpWorld.create({
      renewIntervalMs: RENEW_INTERVAL_MS,
      maxLifetimeMs: MAX_LIFETIME_MS,
    });
    ({ pod, serviceAccountToken } = await world.serveWorld.pod({ user: USER }));
  });

  afterAll(async () => {
    await world[Symbol.asyncDispose]();
  });

  /** Dies when it has made that step for the first time. */
  const serveUntil = (step: LifeStep): Promise<ServeProcess> =>
    world.serve({ main: DIES, env: { DIE_AT: step } });

  async function expectKilled(serve: ServeProcess): Promise<void> {
    expect(await serve.ended).toEqual({ exitCode: null, signal: 'SIGKILL' });
    // Whatever happens to others: what it has is known, recorded and renewed.
    if (witness !== undefined) {
      const [token, ...more] = await world.known(WITNESS);
      expect([token?.sequenceNumber, more]).toEqual([witness.number, []]);
      expect(token?.renewDate).toBeGreaterThan(Date.now());
      expect(await marks(WITNESS)).toEqual([{ number: witness.number, retired: false, tombstoned: false }]);
    }
  }

  /** The number of the token that a pod gets. */
  async function numberFor(serve: ServeProcess, shown: string): Promise<number> {
    const { status, json } = await askCredentials(serve, shown);
    expect(status).toBe(200);
    const [token] = json['tokens'] as { sequenceNumber: number }[];
    return token?.sequenceNumber ?? -1;
  }

  /** What the NameNode knows. */
  const issued = async (): Promise<number[]> => numbersOf(await world.known(USER));

  /** What the records say, in the order of numbers. */
  async function marks(user = USER): Promise<Marks[]> {
    const tokens = (await world.records(user)).flatMap((record) => record.tokens);
    return tokens
      .map(({ token, retiredAt, tombstonedAt }) => ({
        number: token.sequenceNumber,
        retired: retiredAt !== undefined,
        tombstoned: tombstonedAt !== undefined,
      }))
      .sort((one, other) => one.number - other.number);
  }

  const claims = async (): Promise<number> =>
    (await world.records(USER)).flatMap((record) => record.claims).length;

  it('when it has claimed a token', async () => {
    const serve = await serveUntil('claimed');
    await expect(askCredentials(serve, serviceAccountToken)).rejects.toThrow();
    await expectKilled(serve);
    expect([await issued(), await marks(), await claims()]).toEqual([[], [], 1]);
  });

  it('when Hadoop has issued it: the one moment that leaves a token behind', async () => {
    const serve = await serveUntil('issued');
    await expect(askCredentials(serve, serviceAccountToken)).rejects.toThrow();
    await expectKilled(serve);
    const [token, ...more] = await world.known(USER);
    if (token === undefined) throw new Error('nothing was issued');
    orphan = token;
    expect([more, await marks(), await claims()]).toEqual([[], [], 1]);
  });

  it('when it has recorded it, and before anybody has it', async () => {
    const serve = await serveUntil('recorded');
    await expect(askCredentials(serve, serviceAccountToken)).rejects.toThrow();
    await expectKilled(serve);
    const [known = -1, ...others] = await world.stored(USER);
    first = known;
    expect([await issued(), others, await claims()]).toEqual([[orphan.sequenceNumber, first], [], 0]);
  });

  it('when it has retired it, as there is a newer one', async () => {
    const serve = await serveUntil('retired');
    expect(await numberFor(serve, serviceAccountToken)).toBe(first);
    const elsewhere = await world.serveWorld.pod(
      { user: WITNESS },
      { namespace: await world.serveWorld.anotherNamespace() },
    );
    witness = { pod: elsewhere.pod, number: await numberFor(serve, elsewhere.serviceAccountToken) };
    const [record] = await world.records(USER);
    const issuedAt = record?.tokens[0]?.issuedAt ?? 0;
    await waitFor(() => Date.now() > issuedAt + HANDED_OUT_MS, PATIENCE_MS);
    // It may be killed before or after it has answered.
    await Promise.allSettled([askCredentials(serve, serviceAccountToken)]);
    await expectKilled(serve);
    const [, , newest = -1, ...more] = await issued();
    second = newest;
    expect(more).toEqual([]);
    expect(await marks()).toEqual([
      { number: first, retired: true, tombstoned: false },
      { number: second, retired: false, tombstoned: false },
    ]);
  });

  it('when it has written a tombstone', async () => {
    const before = await world.known(USER);
    const serve = await serveUntil('tombstoned');
    // The pod may hold both: both are renewed. The one that nobody has is not.
    await waitFor(async () => {
      const now = await world.known(USER);
      return [1, 2].every((index) => (now[index]?.renewDate ?? 0) > (before[index]?.renewDate ?? 0));
    }, PATIENCE_MS);
    expect((await world.known(USER))[0]?.renewDate).toBe(orphan.renewDate);
    await world.serveWorld.namespace.deletePod(pod, 0);
    await expectKilled(serve);
    expect(await issued()).toEqual([orphan.sequenceNumber, first, second]);
    expect((await marks()).filter(({ tombstoned }) => tombstoned)).not.toEqual([]);
  });

  it('when it has seen that nobody holds what has one; a pod that came meanwhile was cared for', async () => {
    const coming = await world.serveWorld.pod({ user: USER });
    const serve = await serveUntil('unheld');
    await waitFor(async () => (await marks()).every(({ tombstoned }) => !tombstoned), PATIENCE_MS);
    expect(await issued()).toEqual([orphan.sequenceNumber, first, second]);
    const number = await numberFor(serve, coming.serviceAccountToken);
    await world.serveWorld.namespace.deletePod(coming.pod, 0);
    await expectKilled(serve);
    const held = [...new Set([first, second, number])];
    expect(await issued()).toEqual([orphan.sequenceNumber, ...held]);
    expect((await marks()).map((each) => each.number)).toEqual(held);
  });

  it('when it has cancelled one', async () => {
    const recorded = await world.stored(USER);
    const known = await issued();
    const serve = await serveUntil('cancelled');
    await expectKilled(serve);
    expect((await issued()).length).toBeLessThan(known.length);
    expect(await world.stored(USER)).toEqual(recorded);
  });

  it('when it has taken it out of the record', async () => {
    const recorded = await world.stored(USER);
    const serve = await serveUntil('dropped');
    await expectKilled(serve);
    const left = await world.stored(USER);
    expect(left.length).toBeLessThan(recorded.length);
    // Nothing is lost sight of.
    for (const number of await issued()) expect([orphan.sequenceNumber, ...left]).toContain(number);
  });

  it('is followed by one that cancels all that nobody holds; what was left behind lapses by itself', async () => {
    const serve = await world.serve();
    await waitFor(async () => (await world.records(USER)).length === 0, PATIENCE_MS);
    expect((await issued()).filter((number) => number !== orphan.sequenceNumber)).toEqual([]);
    // Also when its end has come by now: the NameNode forgets it later.
    const all = await world.control.tokens();
    expect(all).toContainEqual(orphan);
    await waitFor(() => Date.now() > orphan.renewDate, PATIENCE_MS);
    expect(await metricOf(serve, 'kerbridge_delegation_tokens_lost_total')).toBe(0);
    const [held] = await world.known(WITNESS);
    expect([held?.sequenceNumber, await world.stored(WITNESS)]).toEqual([witness.number, [witness.number]]);
    expect(held?.renewDate).toBeGreaterThan(Date.now());
  });
});
