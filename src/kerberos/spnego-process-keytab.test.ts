import { describe, expect, it } from '@jest/globals';
import { settle } from '../../test/fakes/fake-clock.ts';
import {
  expectError,
  makeWorld,
  PRINCIPAL,
  type Outcome,
  type World,
} from '../../test/fakes/spnego-world.ts';
import { KeytabError } from './keytab.ts';

const STALE =
  'No credentials were supplied, or the credentials were unavailable or inaccessible: Preauthentication failed';

/** Asks, and lets the worker say something. */
const askAnd = async (world: World, say: (worker: World['workers']['last']) => void): Promise<Outcome> => {
  const outcome = world.ask();
  await settle();
  say(world.workers.last);
  await settle();
  return outcome;
};

const succeed = async (world: World, token: string): Promise<Outcome> =>
  askAnd(world, (worker) => {
    worker.answer(token);
  });

const beStale = async (world: World): Promise<Outcome> =>
  askAnd(world, (worker) => {
    worker.refuse(STALE);
  });

const requestsOf = ({ workers }: World): number =>
  workers.started.reduce((sum, { requests }) => sum + requests.length, 0);

describe('a keytab that changes while the tickets are good', () => {
  it('is told of, and changes nothing yet', async () => {
    const world = await makeWorld();
    await succeed(world, 'AAAA');
    world.keytab.replace();
    expect(await succeed(world, 'BBBB')).toMatchObject({ result: 'BBBB' });
    expect(world.workers.started).toHaveLength(1);
    expect(world.caches).toEqual(new Set(['FILE:/tickets/1']));
    expect(world.events).toContainEqual({ type: 'keytab-changed', principals: world.keytab.principals });
  });

  it('is used, with new tickets, in the very call in which the old ones are refused', async () => {
    const world = await makeWorld();
    await succeed(world, 'AAAA');
    world.keytab.replace();
    await succeed(world, 'BBBB');
    const outcome = await beStale(world);
    expect(world.workers.started.map(({ killed }) => killed)).toEqual([true, false]);
    expect(world.caches).toEqual(new Set(['FILE:/tickets/2']));
    world.workers.last.answer('CCCC');
    await settle();
    expect(outcome.result).toBe('CCCC');
  });

  it('and is a wrong one, is tried once and then held', async () => {
    const world = await makeWorld();
    await succeed(world, 'AAAA');
    world.keytab.replace();
    const outcome = await beStale(world);
    world.workers.last.refuse(STALE);
    await settle();
    expectError(outcome, 'credentials', 'Preauthentication failed');
    const asked = requestsOf(world);
    expectError(await beStale(world), 'credentials', 'the KDC is asked again in 10 s');
    expect(requestsOf(world)).toBe(asked);
  });
});

describe.each([
  ['goes away', new KeytabError('missing', 'there is no keytab at /k'), 'there is no keytab at /k'],
  ['is damaged', new KeytabError('damaged', 'the keytab is damaged'), 'the keytab is damaged'],
  ['loses the principal', undefined, `the keytab has no entry of ${PRINCIPAL}`],
])('a keytab that %s while the tickets are good', (_, problem, text) => {
  const makeWorldWithTickets = async (): Promise<World> => {
    const world = await makeWorld();
    await succeed(world, 'AAAA');
    world.keytab.problem = problem;
    world.keytab.replace(problem === undefined ? ['somebody@EXAMPLE.COM'] : [PRINCIPAL]);
    return world;
  };

  it('is told of once, and the tickets go on', async () => {
    const world = await makeWorldWithTickets();
    await succeed(world, 'BBBB');
    expect(await succeed(world, 'CCCC')).toMatchObject({ result: 'CCCC' });
    expect(world.workers.started).toHaveLength(1);
    expect(world.events.filter(({ type }) => type === 'keytab-unusable')).toEqual([
      { type: 'keytab-unusable', reason: text, fix: expect.any(String) },
    ]);
  });

  it('does not stop the tickets when one service is unknown', async () => {
    const world = await makeWorldWithTickets();
    await askAnd(world, (worker) => {
      worker.refuse('Server not found in Kerberos database');
    });
    expect(await succeed(world, 'BBBB')).toMatchObject({ result: 'BBBB' });
  });

  it('is to blame when they end, and the KDC is left alone', async () => {
    const world = await makeWorldWithTickets();
    expectError(await beStale(world), 'credentials', text);
    const asked = requestsOf(world);
    const next = world.ask();
    await settle();
    expectError(next, 'credentials', text);
    expect(requestsOf(world)).toBe(asked);
  });

  it('is to blame when the worker dies, and its tickets with it', async () => {
    const world = await makeWorldWithTickets();
    const outcome = await askAnd(world, (worker) => {
      worker.end('it was ended by SIGKILL');
    });
    expectError(outcome, 'credentials', text);
  });

  it('is to blame when the tickets were discarded', async () => {
    const world = await makeWorldWithTickets();
    world.process.discardTickets();
    const outcome = world.ask();
    await settle();
    expectError(outcome, 'credentials', text);
  });
});

describe('a key that the KDC refuses', () => {
  it('is tried ever more rarely', async () => {
    const world = await makeWorld();
    const seconds: number[] = [];
    await beStale(world);
    for (let refusal = 1, asked = requestsOf(world); refusal < 4; refusal += 1) {
      let waited = 0;
      while (requestsOf(world) === asked) {
        await world.clock.advance(5000);
        waited += 5;
        await beStale(world);
      }
      asked = requestsOf(world);
      seconds.push(waited);
    }
    expect(seconds).toEqual([10, 20, 40]);
  });

  it.each([
    [
      'the keytab changes',
      async ({ keytab }: World) => {
        keytab.replace();
      },
    ],
    [
      'the tickets are discarded',
      async ({ process: spnegoProcess }: World) => {
        spnegoProcess.discardTickets();
      },
    ],
    [
      'it was right once',
      async (world: World) => {
        await world.clock.advance(20_000);
        await succeed(world, 'AAAA');
      },
    ],
  ])('is tried at once, and held briefly again, when %s', async (_, happen) => {
    const world = await makeWorld();
    await beStale(world);
    await world.clock.advance(10_000);
    await beStale(world);
    await happen(world);
    const asked = requestsOf(world);
    await beStale(world);
    expect(requestsOf(world)).toBe(asked + 1);
    expectError(await beStale(world), 'credentials', 'asked again in 10 s');
  });
});
