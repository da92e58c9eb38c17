import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import { cancelOwnToken, runHadoopFs } from '../../stack/stack.ts';
import { askCredentials } from '../serve/serve-world.ts';
import type { ServeProcess } from '../serve-process.ts';
import { metricOf, numbersOf, SpedUpWorld } from './sped-up-world.ts';

const USER = 'user170';
const PROOF_OF_LIFE_MS = 2_000;
const HOUR_MS = 3_600_000;

/** Whoever holds a token can cancel it: Hadoop asks for no more. */
describe('a token that a pod has cancelled itself', () => {
  let world: SpedUpWorld;
  let serve: ServeProcess;

  beforeAll(async () => {
    world = await SpedUpWorld.create({
      renewIntervalMs: HOUR_MS,
      maxLifetimeMs: 24 * HOUR_MS,
      tokens: { proofOfLife: `${PROOF_OF_LIFE_MS}ms`, idleTime: '10m' },
    });
    serve = await world.serve();
  });

  afterAll(async () => {
    await world[Symbol.asyncDispose]();
  });

  /** As `fetch` of that pod: its file, and the number of the token in it. */
  async function fetchInto(name: string, serviceAccountToken: string) {
    const { status, json } = await askCredentials(serve, serviceAccountToken);
    expect(status).toBe(200);
    const [token] = json['tokens'] as { sequenceNumber: number }[];
    const bytes = Buffer.from(String(json['credentials']), 'base64');
    return { number: token?.sequenceNumber ?? -1, tokenFile: await world.file(name, bytes) };
  }

  const lists = async (tokenFile: string): Promise<boolean> => {
    const { confDir } = world.cluster;
    const { exitCode, stderr } = await runHadoopFs(world.stack, { confDir, tokenFile, args: ['-ls', '/'] });
    if (exitCode !== 0) expect(stderr).toMatch(/InvalidToken|can't be found in cache/);
    return exitCode === 0;
  };

  it('is replaced with the next hand-out; another namespace keeps its own; it is counted', async () => {
    const lost = () =>
      metricOf(serve, 'kerbridge_delegation_tokens_lost_total', { reason: 'cancelled-elsewhere' });
    const { confDir } = world.cluster;
    const here = (await world.serveWorld.pod({ user: USER })).serviceAccountToken;
    const beside = (await world.serveWorld.pod({ user: USER })).serviceAccountToken;
    const namespace = await world.serveWorld.anotherNamespace();
    const elsewhere = (await world.serveWorld.pod({ user: USER }, { namespace })).serviceAccountToken;
    const before = await fetchInto('before.token', here);
    const other = await fetchInto('other.token', elsewhere);
    expect(other.number).not.toBe(before.number);
    expect([await lists(before.tokenFile), await lists(other.tokenFile)]).toEqual([true, true]);
    expect(await lost()).toBe(0);

    expect(await cancelOwnToken(world.stack, { confDir, tokenFile: before.tokenFile })).toBe(before.number);
    expect(numbersOf(await world.known(USER))).toEqual([other.number]);
    expect(await lists(before.tokenFile)).toBe(false);
    await delay(PROOF_OF_LIFE_MS);

    // All of that namespace who ask, at once.
    const [after, shared] = await Promise.all([
      fetchInto('after.token', here),
      fetchInto('shared.token', beside),
    ]);
    expect(after.number).not.toBe(before.number);
    expect(shared.number).toBe(after.number);
    expect(await lists(after.tokenFile)).toBe(true);
    expect(numbersOf(await world.known(USER))).toEqual([other.number, after.number]);
    expect(await world.stored(USER)).toEqual([other.number, after.number]);
    expect(await lost()).toBe(1);
    expect(await metricOf(serve, 'kerbridge_delegation_tokens_lost_total', { reason: 'expired' })).toBe(0);

    expect((await fetchInto('other.token', elsewhere)).number).toBe(other.number);
    expect(await lists(other.tokenFile)).toBe(true);
    const line = serve.logLines().find(({ message }) => String(message).startsWith('Token is dead'));
    expect(line).toMatchObject({
      level: 'warn',
      user: USER,
      sequenceNumber: before.number,
      reason: 'cancelled-elsewhere',
    });
  });
});
