import { beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock, settle } from '../../test/fakes/fake-clock.ts';
import { INTERVAL_MS, LIFE_MS, LifeWorld } from '../../test/fakes/token-life-world.ts';
import { CLOCK_SLACK_MS } from './holder-index.ts';
import type { HolderPod } from './holders.ts';
import { stateOf } from './live-token.ts';
import type { Sharing } from './sharing.ts';
import { DEFAULT_TIMING } from './token-life.ts';
import { TokenServiceError } from './token-service.ts';

const { idleMs, stalenessMs } = DEFAULT_TIMING;
/** Until the next look, or the one after. */
const LOOK_MS = 61_000;

let world: LifeWorld;
let pod: HolderPod;

beforeEach(async () => {
  world = await new LifeWorld().start();
  pod = world.pod();
  await world.get();
});

const states = (of = world): string[] => [...of.life.tokens.values()].map(stateOf).toSorted();
const down = (): TokenServiceError => new TokenServiceError('unreachable', 'no NameNode');

/** Until a tombstone is written. */
const idle = async (): Promise<void> => {
  await world.clock.advance(idleMs + LOOK_MS);
};

describe('a token whose last pod ends', () => {
  it('is cancelled after the idle time, a tombstone and a list of the pods', async () => {
    world.pods.delete(pod);
    await world.clock.advance(idleMs - LOOK_MS);
    expect(states()).toEqual(['current']);
    await world.clock.advance(3 * LOOK_MS);
    expect(world.listed).toBe(1);
    expect(world.tokenService.calls.at(-1)).toBe('cancel 1');
    expect(world.tokenService.liveTokens).toEqual([]);
    expect(world.backing.records.size).toBe(0);
    expect([states(), world.eventsOf('cancelled').length]).toEqual([[], 1]);
  });

  it('is not handed out any more from the tombstone on, and not cancelled before everybody can know', async () => {
    world.pods.delete(pod);
    await world.clock.advance(idleMs - stalenessMs);
    while (states()[0] === 'current') await world.clock.advance(1_000);
    expect(world.count('cancel')).toBe(0);
    expect((await world.get()).token.sequenceNumber).toBe(2);
    await world.clock.advance(stalenessMs - 2_000);
    expect(world.count('cancel')).toBe(0);
    await world.clock.advance(LOOK_MS);
    expect(world.tokenService.liveTokens).toEqual([2]);
  });

  it.each([
    ['another pod of the same user', { uid: 'uid-2' }],
    ['a pod that the reflector has not seen', { uid: 'uid-3' }],
  ])('lives on for %s', async (_, other) => {
    world.pods.delete(pod);
    world.seen = other.uid === 'uid-3' ? [] : 'all';
    world.pod(other);
    await idle();
    await world.clock.advance(LOOK_MS);
    expect(world.count('cancel')).toBe(0);
    expect(world.tokenService.liveTokens).toEqual([1]);
    expect((await world.get(other)).token.sequenceNumber).toBe(1);
  });

  it('lives on beside the newer one that somebody has got meanwhile', async () => {
    world.seen = [];
    await world.clock.advance(idleMs - stalenessMs);
    while (states()[0] === 'current') await world.clock.advance(1_000);
    expect((await world.get()).token.sequenceNumber).toBe(2);
    await world.clock.advance(LOOK_MS);
    expect(states()).toEqual(['current', 'retired']);
    expect((await world.get()).token.sequenceNumber).toBe(2);
  });

  it.each([
    ['user', { user: 'bob' }],
    ['namespace', { namespace: 'other' }],
  ])('does not live on for a pod of another %s', async (_, other) => {
    world.pods.delete(pod);
    world.pod({ uid: 'uid-2', ...other });
    await idle();
    await world.clock.advance(LOOK_MS);
    expect(world.tokenService.liveTokens).toEqual([]);
  });

  it('lives on when a pod comes back within the idle time', async () => {
    world.pods.delete(pod);
    await world.clock.advance(idleMs - LOOK_MS);
    world.pod({ uid: 'uid-2' });
    await world.clock.advance(LOOK_MS);
    world.pods.clear();
    await world.clock.advance(idleMs - LOOK_MS);
    expect(states()).toEqual(['current']);
  });

  it.each(['nobody', 'everybody'])(
    'lives on while the pods cannot be vouched for (%s was seen)',
    async (seen) => {
      world.seen = undefined;
      if (seen === 'nobody') world.pods.delete(pod);
      await world.clock.advance(3 * idleMs);
      expect(states()).toEqual(['current']);
    },
  );

  it('lives on while the API server does not list the pods, and goes when it does', async () => {
    world.pods.delete(pod);
    world.podsFail = true;
    await idle();
    await world.clock.advance(10 * LOOK_MS);
    expect(states()).toEqual(['tombstoned']);
    expect(world.count('cancel')).toBe(0);
    expect(world.eventsOf('holders-unknown').length).toBeGreaterThan(1);
    world.podsFail = false;
    await world.clock.advance(LOOK_MS);
    expect(world.tokenService.liveTokens).toEqual([]);
  });

  it('lives on where that is the rule', async () => {
    world = await new LifeWorld({ sharing: { cancelPolicyOf: () => 'never' } }).start();
    await world.get();
    await world.clock.advance(LIFE_MS - INTERVAL_MS);
    expect(world.count('cancel')).toBe(0);
    expect(world.tokenService.liveTokens).toEqual([1]);
  });

  it('is cancelled when Hadoop can be asked again', async () => {
    world.pods.delete(pod);
    world.tokenService.failNext('cancel', down(), down(), down());
    await idle();
    await world.clock.advance(10 * LOOK_MS);
    expect(world.tokenService.liveTokens).toEqual([]);
    expect(world.eventsOf('failed')).toHaveLength(3);
    expect(world.backing.records.size).toBe(0);
  });

  it('is renewed again when somebody turns out to hold it after a cancellation that failed', async () => {
    world.pods.delete(pod);
    world.tokenService.failNext('cancel', down());
    while (world.count('cancel') === 0) await world.clock.advance(1_000);
    world.pods.add(pod);
    await world.clock.advance(LOOK_MS);
    expect(states()).toEqual(['current']);
    await world.clock.advance(2 * INTERVAL_MS);
    expect(world.tokenService.liveTokens).toEqual([1]);
  });

  it('is not handed out unproven after a cancellation that may have been done', async () => {
    await world.clock.advance(INTERVAL_MS / 2 - idleMs / 2);
    const [live] = world.life.tokens.values();
    if (live === undefined) throw new Error('no token');
    world.pods.delete(pod);
    world.tokenService.failNext('cancel', down());
    while (world.count('cancel') === 0) await world.clock.advance(1_000);
    await world.tokenService.cancel(live.recorded.token);
    world.pod({ uid: 'uid-2' });
    while (states()[0] !== 'current') await world.clock.advance(100);
    const asked = world.get({ uid: 'uid-2' });
    await world.clock.advance(10_000);
    expect(world.tokenService.liveTokens).toContain((await asked).token.sequenceNumber);
  });

  it('is not cancelled before the tombstone is written', async () => {
    world.pods.delete(pod);
    await world.clock.advance(idleMs - LOOK_MS);
    world.store.away = true;
    await world.clock.advance(5 * LOOK_MS);
    expect([world.count('cancel'), world.listed]).toEqual([0, 0]);
    world.store.away = false;
    await world.clock.advance(3 * LOOK_MS);
    expect(world.tokenService.liveTokens).toEqual([]);
  });
});

describe('a retired token', () => {
  /** The first is retired, the second current. */
  const nextGeneration = async (): Promise<void> => {
    await world.clock.advance(0.91 * INTERVAL_MS);
    await world.get();
    await settle();
    expect(states()).toEqual(['current', 'retired']);
  };

  it('lives as long as a pod that was there before it was retired', async () => {
    await nextGeneration();
    world.pod({ uid: 'uid-2', createdAt: world.clock.now() + CLOCK_SLACK_MS + stalenessMs });
    await world.clock.advance(2 * idleMs);
    expect(world.tokenService.liveTokens).toEqual([1, 2]);
    world.pods.delete(pod);
    await idle();
    await world.clock.advance(LOOK_MS);
    expect(world.tokenService.liveTokens).toEqual([2]);
    expect(world.backing.tokens).toHaveLength(1);
  });

  it('lives for a pod that was created right after, by a clock that need not be ours', async () => {
    await nextGeneration();
    world.pods.delete(pod);
    world.pod({ uid: 'uid-2', createdAt: world.clock.now() + CLOCK_SLACK_MS });
    await idle();
    await world.clock.advance(LOOK_MS);
    expect(world.tokenService.liveTokens).toEqual([1, 2]);
  });
});

describe('scopes', () => {
  it('of a pod end with the pod', async () => {
    world = await new LifeWorld({ sharing: { scopeOf: () => 'pod' } }).start();
    const [one] = [world.pod({ uid: 'uid-1' }), world.pod({ uid: 'uid-2' })];
    await world.get({ uid: 'uid-1' });
    await world.get({ uid: 'uid-2' });
    expect(world.count('issue')).toBe(2);
    if (one !== undefined) world.pods.delete(one);
    await idle();
    await world.clock.advance(LOOK_MS);
    expect(world.tokenService.liveTokens).toEqual([2]);
  });

  it('of a user are shared by all namespaces, and live as long as a pod in any', async () => {
    world = await new LifeWorld({ sharing: { scopeOf: () => 'user' } }).start();
    pod = world.pod();
    const other = world.pod({ namespace: 'other', uid: 'uid-2' });
    await world.get();
    await world.get({ namespace: 'other', uid: 'uid-2' });
    expect(world.count('issue')).toBe(1);
    world.pods.delete(pod);
    await world.clock.advance(2 * idleMs);
    expect(world.tokenService.liveTokens).toEqual([1]);
    world.pods.delete(other);
    await idle();
    await world.clock.advance(LOOK_MS);
    expect(world.tokenService.liveTokens).toEqual([]);
  });

  it('of who asks to be another: his pods hold it, and not those of the other', async () => {
    world.pod({ uid: 'uid-etl', user: 'etl' });
    await world.get({ owner: 'etl' });
    await world.get({ user: 'etl', uid: 'uid-etl' });
    expect(world.count('issue')).toBe(3);
    world.pods.delete(pod);
    await idle();
    await world.clock.advance(LOOK_MS);
    expect(world.tokenService.liveTokens).toEqual([3]);
  });
});

describe('a tombstone, where everybody looks often,', () => {
  const options = { timing: { ...DEFAULT_TIMING, idleMs: 60_000 } };

  beforeEach(async () => {
    world = await new LifeWorld({ options }).start();
    await world.get();
    while (states()[0] === 'current') await world.clock.advance(1_000);
  });

  it.each([0, 600_000, -600_000])(
    'reaches everybody before anything is cancelled, also if the clock is set by %d ms',
    async (byMs) => {
      world.clock.set(world.clock.now() + byMs);
      await world.clock.advance(stalenessMs);
      expect(world.count('cancel')).toBe(0);
      await world.clock.advance(stalenessMs);
      expect(world.count('cancel')).toBe(1);
    },
  );

  it.each([600_000, -600_000])(
    'of another replica, whose clock is off by %d ms, reaches everybody first too',
    async (byMs) => {
      const { tokenService, backing } = world;
      const clock = new FakeClock(world.clock.now() + byMs);
      const other = await new LifeWorld({ clock, tokenService, backing, options }).start();
      await clock.advance(stalenessMs);
      expect(other.count('cancel')).toBe(0);
      await clock.advance(stalenessMs);
      expect(other.count('cancel')).toBe(1);
    },
  );
});

describe('a process that dies', () => {
  const successor = async (sharing: Partial<Sharing> = {}): Promise<LifeWorld> => {
    const { clock, tokenService, backing } = world;
    await world.life.stop();
    backing.listeners.clear();
    const next = new LifeWorld({ clock, tokenService, backing, sharing });
    for (const each of world.pods) next.pods.add(each);
    world = await next.start();
    return world;
  };

  it('after the tombstone is followed by one that cancels', async () => {
    world.pods.delete(pod);
    world.podsFail = true;
    await idle();
    expect(states()).toEqual(['tombstoned']);
    await successor();
    await world.clock.advance(2 * LOOK_MS);
    expect(world.tokenService.liveTokens).toEqual([]);
    expect(world.backing.records.size).toBe(0);
  });

  it('after the tombstone is followed by one that finds a holder, and cancels nothing', async () => {
    world.pods.delete(pod);
    world.podsFail = true;
    await idle();
    world.pod({ uid: 'uid-2', createdAt: world.clock.now() - idleMs });
    await successor();
    await world.clock.advance(2 * LOOK_MS);
    expect(states()).toEqual(['current']);
    expect(world.count('cancel')).toBe(0);
    expect(world.eventsOf('kept')).toHaveLength(1);
    await world.clock.advance(INTERVAL_MS);
    expect(world.tokenService.liveTokens).toEqual([1]);
  });

  it('after the tombstone is followed by one that keeps the token where that is the rule by now', async () => {
    world.pods.delete(pod);
    world.podsFail = true;
    await idle();
    await successor({ cancelPolicyOf: () => 'never' });
    await world.clock.advance(2 * LOOK_MS);
    expect(states()).toEqual(['current']);
    await world.clock.advance(INTERVAL_MS);
    expect(world.tokenService.liveTokens).toEqual([1]);
    expect(world.listed).toBe(0);
  });

  it('after the cancellation is followed by one that takes it for done', async () => {
    world.pods.delete(pod);
    await world.clock.advance(idleMs - LOOK_MS);
    while (states()[0] === 'current') await world.clock.advance(1_000);
    const [live] = world.life.tokens.values();
    if (live === undefined) throw new Error('no token');
    await world.tokenService.cancel(live.recorded.token);
    await successor();
    await world.clock.advance(2 * LOOK_MS);
    expect(world.backing.records.size).toBe(0);
    expect(world.eventsOf('dead')).toEqual([]);
  });

  it('after the cancellation is followed by one that does not take the token for lost', async () => {
    world.pods.delete(pod);
    await world.clock.advance(idleMs - LOOK_MS);
    while (states()[0] === 'current') await world.clock.advance(1_000);
    const [live] = world.life.tokens.values();
    if (live === undefined) throw new Error('no token');
    await world.tokenService.cancel(live.recorded.token);
    await successor();
    await world.clock.advance(2 * LOOK_MS);
    expect(world.backing.records.size).toBe(0);
    expect(world.eventsOf('dead')).toEqual([]);
  });
});

it('is not kept by who saw a holder when somebody else, who saw none, is cancelling it', async () => {
  const { clock, tokenService, backing } = world;
  const options = { replica: 'two' };
  const other = await new LifeWorld({ clock, tokenService, backing, options }).start();
  other.pods.add(pod);
  const [none, one] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  world.listing = none.promise;
  other.listing = one.promise;
  world.pods.delete(pod);
  tokenService.hang('cancel');
  while (world.listed === 0 || other.listed === 0) await clock.advance(1_000);
  none.resolve();
  await settle();
  expect(world.count('cancel')).toBe(1);
  one.resolve();
  await settle();
  expect(backing.tokens).toMatchObject([{ tombstonedAt: expect.any(Number) }]);
  expect(other.eventsOf('kept')).toEqual([]);
  tokenService.resume();
  await settle();
  expect([tokenService.liveTokens, backing.tokens]).toEqual([[], []]);
});

describe('two processes, as while one replaces the other,', () => {
  const options = { replica: 'two' };
  let other: LifeWorld;

  /** The other one keeps the token, as its rules say. */
  beforeEach(async () => {
    const { clock, tokenService, backing } = world;
    other = await new LifeWorld({
      clock,
      tokenService,
      backing,
      sharing: { cancelPolicyOf: () => 'never' },
      options,
    }).start();
  });

  const untilKept = async (): Promise<void> => {
    while (other.eventsOf('kept').length === 0) await world.clock.advance(1_000);
  };

  it('cancel nothing that one of them kept, and handed out, while the other listed the pods', async () => {
    world.pods.delete(pod);
    const listed = Promise.withResolvers<void>();
    world.listing = listed.promise;
    await untilKept();
    expect(world.listed).toBe(1);
    world.pod({ uid: 'uid-2' });
    const { token } = await other.get({ uid: 'uid-2' });
    listed.resolve();
    await world.clock.advance(10 * LOOK_MS);
    expect(world.tokenService.liveTokens).toContain(token.sequenceNumber);
    expect(world.count('cancel')).toBe(0);
  });

  it('both renew what one of them kept, also the one that could not cancel it', async () => {
    world.pods.delete(pod);
    world.tokenService.failNext('cancel', down());
    while (world.eventsOf('failed').length === 0) await world.clock.advance(100);
    world.podsFail = true;
    await untilKept();
    world.pod({ uid: 'uid-2' });
    await other.life.stop();
    await world.clock.advance(2 * INTERVAL_MS);
    expect(world.tokenService.liveTokens).toEqual([1]);
  });
});
