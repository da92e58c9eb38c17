import { beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock, settle } from '../../test/fakes/fake-clock.ts';
import { FakeTokenStore } from '../../test/fakes/fake-token-store.ts';
import { FakeTokenService } from '../../test/fakes/fake-token-service.ts';
import { INTERVAL_MS, LifeWorld, newTokenService } from '../../test/fakes/token-life-world.ts';
import { stateOf } from './live-token.ts';
import { TokenServiceError } from './token-service.ts';

/** A part of the interval. */
const STEP_MS = INTERVAL_MS / 24;

let world: LifeWorld;

beforeEach(async () => {
  world = await new LifeWorld().start();
});

const states = (of: LifeWorld = world): string[] => [...of.life.tokens.values()].map(stateOf).toSorted();
const down = (): TokenServiceError => new TokenServiceError('unreachable', 'no NameNode');
const unknown = (): TokenServiceError => new TokenServiceError('invalid-token', 'Token not found');

describe('one token', () => {
  it('is issued and proven once for all that ask', async () => {
    const tokens = await Promise.all([world.get(), world.get(), world.get({ uid: 'uid-2' })]);
    expect(new Set(tokens).size).toBe(1);
    expect(world.tokenService.calls).toEqual(['issue alice', 'renew 1']);
    expect(await world.get()).toBe(tokens[0]);
  });

  it.each([
    ['namespace', { namespace: 'other' }],
    ['owner', { owner: 'etl' }],
    ['stamped user', { user: 'bob', owner: 'alice' }],
  ] as const)('is not shared by those of another %s', async (_, other) => {
    const one = await world.get();
    expect((await world.get(other)).token.sequenceNumber).not.toBe(one.token.sequenceNumber);
  });

  it('is not proven by a renewal once the interval is known', async () => {
    await world.get();
    const bobs = await world.get({ user: 'bob' });
    expect(world.tokenService.calls).toEqual(['issue alice', 'renew 1', 'issue bob']);
    expect(bobs.expiresAt - bobs.token.issueDate).toBe(BigInt(INTERVAL_MS));
  });

  it('is recorded before anybody gets it, and no claim is left', async () => {
    await world.get();
    expect(world.backing.tokens.map(({ token }) => token.owner)).toEqual(['alice']);
    expect(world.backing.claims).toEqual([]);
  });

  it('is not asked for when the claim cannot be written', async () => {
    world.store.away = true;
    const asked = world.get().catch((error: unknown) => error);
    await world.clock.advance(100_000);
    expect(await asked).toMatchObject({ name: 'TokenStoreError', failure: 'unreachable' });
    expect(world.tokenService.calls).toEqual([]);
  });

  it.each(['unreachable', 'reply-lost'] as const)(
    'is recorded although a write was %s, and is one',
    async (fault) => {
      world.tokenService.hang('issue');
      const asked = world.get();
      await settle();
      world.store.failNext(fault, fault);
      world.tokenService.resume();
      await world.clock.advance(5_000);
      expect((await asked).token.sequenceNumber).toBe(1);
      expect(world.backing.tokens).toHaveLength(1);
      expect(world.count('issue')).toBe(1);
    },
  );

  it('that could not be recorded in time is the one of the next request', async () => {
    world.tokenService.hang('issue');
    const asked = world.get().catch((error: unknown) => error);
    await settle();
    world.store.away = true;
    world.tokenService.resume();
    await world.clock.advance(100_000);
    expect(await asked).toBeInstanceOf(Error);
    expect(world.life.issuer.unrecorded).toBe(1);
    world.store.away = false;
    expect((await world.get()).token.sequenceNumber).toBe(1);
    expect([world.count('issue'), world.life.issuer.unrecorded]).toEqual([1, 0]);
  });

  it('whose record got through, unheard, does not count as unrecorded, and does not come back when it is cancelled', async () => {
    world.tokenService.hang('issue');
    const asked = world.get().catch((error: unknown) => error);
    await settle();
    world.store.failNext('reply-lost');
    world.tokenService.resume();
    await settle();
    world.store.away = true;
    await world.clock.advance(100_000);
    expect(await asked).toBeInstanceOf(Error);
    world.store.away = false;
    expect([world.backing.tokens.length, world.life.issuer.unrecorded]).toEqual([1, 0]);
    await world.clock.advance(INTERVAL_MS / 2);
    expect(world.backing.tokens).toEqual([]);
    const next = world.get();
    await world.clock.advance(5_000);
    expect((await next).token.sequenceNumber).toBe(2);
    expect(world.eventsOf('dead')).toEqual([]);
  });

  it('leaves no claim when Hadoop refuses', async () => {
    world.tokenService.failNext('issue', new TokenServiceError('denied', 'no'));
    await expect(world.get()).rejects.toThrow('no');
    await settle();
    expect(world.backing.claims).toEqual([]);
    expect(world.backing.records.size).toBe(0);
  });
});

describe('two replicas', () => {
  it('that miss together make one token', async () => {
    const { clock, tokenService, backing } = world;
    const other = await new LifeWorld({ clock, tokenService, backing, options: { replica: 'two' } }).start();
    tokenService.hang('issue');
    const both = [world.get(), other.get()];
    await settle();
    tokenService.resume();
    await clock.advance(2_000);
    const [one, two] = await Promise.all(both);
    expect(one?.token.sequenceNumber).toBe(two?.token.sequenceNumber);
    expect(world.count('issue')).toBe(1);
  });

  it('take over the claim of one that died, after a while', async () => {
    const { clock, tokenService, backing } = world;
    const other = await new LifeWorld({ clock, tokenService, backing, options: { replica: 'two' } }).start();
    tokenService.hang('issue');
    void other.get().catch(() => undefined);
    await settle();
    await other.life.stop();
    backing.listeners.clear();
    tokenService.failNext('issue', down());
    const asked = world.get().catch((error: unknown) => error);
    await clock.advance(95_000);
    expect(await asked).toBeInstanceOf(TokenServiceError);
    tokenService.resume();
    await clock.advance(30_000);
    expect((await world.get()).token.owner).toBe('alice');
  });
});

describe('a request that waits for long', () => {
  /** What another replica writes meanwhile. */
  const tombstoneByAnother = async (): Promise<void> => {
    const { clock, backing } = world;
    const other = new FakeTokenStore({ clock, backing });
    for (const { record, version } of [...backing.records.values()]) {
      const at = { retiredAt: clock.now(), tombstonedAt: clock.now() };
      await other.write({ ...record, tokens: record.tokens.map((token) => ({ ...token, ...at })) }, version);
    }
  };
  /** Nothing is proven after it. */
  const restart = async (): Promise<void> => {
    const { clock, tokenService, backing } = world;
    await world.life.stop();
    world = await new LifeWorld({ clock, tokenService, backing }).start();
  };

  it('for a proof does not get what was tombstoned meanwhile', async () => {
    await world.get();
    world.tokenService.hang('renew');
    await restart();
    const asked = world.get();
    await world.clock.advance(10_000);
    await tombstoneByAnother();
    world.tokenService.resume();
    await world.clock.advance(1_000);
    expect((await asked).token.sequenceNumber).toBe(2);
  });

  it('for a proof does not get what may have been tombstoned meanwhile', async () => {
    await world.get();
    world.tokenService.hang('renew');
    await restart();
    const asked = world.get().catch((error: unknown) => error);
    await world.clock.advance(1_000);
    world.store.away = true;
    await tombstoneByAnother();
    await world.clock.advance(31_000);
    world.tokenService.resume();
    await settle();
    expect(await asked).toMatchObject({ name: 'TokenStoreError', failure: 'unreachable' });
  });

  it('for a new token does not get an old one that was tombstoned meanwhile', async () => {
    world.pod();
    await world.get();
    await world.clock.advance(0.91 * INTERVAL_MS);
    world.tokenService.hang('issue');
    world.tokenService.failNext('issue', down());
    const asked = world.get().catch((error: unknown) => error);
    await settle();
    await tombstoneByAnother();
    world.tokenService.resume();
    await world.clock.advance(1_000);
    expect(await asked).toMatchObject({ failure: 'unreachable' });
  });

  it('for a new token does not get an old one that may have been tombstoned meanwhile', async () => {
    world.pod();
    await world.get();
    await world.clock.advance(0.91 * INTERVAL_MS);
    world.tokenService.hang('issue');
    world.tokenService.failNext('issue', down());
    void world.get();
    await settle();
    world.store.away = true;
    await tombstoneByAnother();
    await world.clock.advance(31_000);
    const asked = world.get().catch((error: unknown) => error);
    await world.clock.advance(6_000);
    world.tokenService.resume();
    await settle();
    expect(await asked).toMatchObject({ failure: 'unreachable' });
  });
});

describe('renewal', () => {
  it('comes at half of the interval, again and again', async () => {
    world.pod();
    await world.get();
    await world.clock.advance(5 * STEP_MS);
    expect(world.count('renew')).toBe(1);
    for (let round = 0; round < 6; round += 1) await world.clock.advance(INTERVAL_MS);
    expect(world.count('renew')).toBeGreaterThan(11);
    expect(world.tokenService.liveTokens).toContain(1);
  });

  it('goes on through an outage, and the token lives', async () => {
    world.pod();
    await world.get();
    world.tokenService.failNext('renew', ...Array.from({ length: 30 }, down));
    await world.clock.advance(INTERVAL_MS - STEP_MS);
    await world.clock.advance(2 * STEP_MS);
    expect(world.tokenService.liveTokens).toEqual([1]);
    expect(world.eventsOf('dead')).toEqual([]);
  });

  it('that is due and does not get through is counted, however often it is tried', async () => {
    world.pod();
    await world.get();
    const overdue = (): number => world.life.countOverdue(world.source, 60_000);
    await world.clock.advance(0.6 * INTERVAL_MS);
    expect(overdue()).toBe(0);
    world.tokenService.failNext('renew', ...Array.from({ length: 200 }, down));
    await world.clock.advance(0.4 * INTERVAL_MS);
    expect(overdue()).toBe(0);
    await world.clock.advance(0.3 * INTERVAL_MS);
    expect(overdue()).toBe(1);
  });

  it('that no answer comes to after a restart is counted', async () => {
    world.pod();
    await world.get();
    const { clock, tokenService, backing } = world;
    await world.life.stop();
    tokenService.failNext('renew', ...Array.from({ length: 20 }, down));
    world = await new LifeWorld({ clock, tokenService, backing }).start();
    world.pod();
    await clock.advance(STEP_MS / 2);
    expect(world.life.countOverdue(world.source, 60_000)).toBe(1);
    await clock.advance(INTERVAL_MS / 2);
    expect(world.life.countOverdue(world.source, 60_000)).toBe(0);
  });

  it('goes on whatever becomes of those who are told of it', async () => {
    const onEvent = (): never => {
      throw new Error('the disk of the log is full');
    };
    world = await new LifeWorld({ clock: world.clock, options: { onEvent } }).start();
    world.pod();
    await world.get();
    for (let step = 0; step < 60; step += 1) await world.clock.advance(STEP_MS);
    expect(world.tokenService.liveTokens).toEqual([1]);
  });

  it.each([
    ['denied', 'no'],
    ['bad-request', 'what?'],
    ['authentication', 'who?'],
    ['not-active', 'standby'],
    ['safe-mode', 'later'],
  ] as const)('that is answered with %s is tried again', async (failure, message) => {
    world.pod();
    await world.get();
    world.tokenService.failNext(
      'renew',
      ...Array.from({ length: 5 }, () => new TokenServiceError(failure, message)),
    );
    await world.clock.advance(INTERVAL_MS + STEP_MS);
    expect(world.tokenService.liveTokens).toEqual([1]);
  });

  it('believes the server only the second time that it does not know the token', async () => {
    world.pod();
    await world.get();
    world.tokenService.failNext('renew', unknown());
    await world.clock.advance(13 * STEP_MS);
    expect(world.eventsOf('dead')).toEqual([]);
    world.tokenService.failNext('renew', unknown(), unknown());
    await world.clock.advance(12 * STEP_MS);
    expect(world.eventsOf('dead').map(({ why }) => why)).toEqual(['cancelled-elsewhere']);
    expect(world.backing.tokens).toEqual([]);
  });

  it.each([
    ['back', -3 * INTERVAL_MS],
    ['forward', 3 * INTERVAL_MS],
  ])('is not late when the clock is set %s', async (_, byMs) => {
    // Hadoop's clock is another one.
    const [clock, hadoop] = [new FakeClock(), new FakeClock()];
    const tokenService = newTokenService(hadoop);
    const other = await new LifeWorld({ clock, tokenService }).start();
    other.pod();
    await other.get();
    await Promise.all([clock.advance(STEP_MS), hadoop.advance(STEP_MS)]);
    clock.set(clock.now() + byMs);
    for (let step = 0; step < 36; step += 1) {
      await Promise.all([clock.advance(STEP_MS), hadoop.advance(STEP_MS)]);
    }
    expect(tokenService.liveTokens).toContain(1);
    expect(other.eventsOf('dead')).toEqual([]);
  });

  it('of a new token is early enough when the interval was made shorter since the last one', async () => {
    const tokenService = new FakeTokenService({ clock: world.clock });
    world = await new LifeWorld({ clock: world.clock, tokenService }).start();
    world.pod();
    world.pod({ user: 'bob', uid: 'uid-2' });
    await world.get();
    tokenService.renewIntervalMs = INTERVAL_MS;
    await world.get({ user: 'bob', uid: 'uid-2' });
    for (let step = 0; step < 60; step += 1) await world.clock.advance(STEP_MS);
    expect(tokenService.liveTokens).toEqual([1, 2]);
    expect(world.eventsOf('dead')).toEqual([]);
  });

  it('follows a short interval', async () => {
    const tokenService = new FakeTokenService({ clock: world.clock, renewIntervalMs: 600_000 });
    world = await new LifeWorld({ clock: world.clock, tokenService }).start();
    world.pod();
    await world.get();
    expect(world.life.prover.intervalMs(world.source)).toBe(600_000);
    for (let minute = 0; minute < 30; minute += 1) await world.clock.advance(60_000);
    expect(tokenService.liveTokens).toEqual([1]);
    expect(world.count('renew')).toBeLessThan(9);
  });
});

describe('a restart', () => {
  const restart = async (): Promise<LifeWorld> => {
    const { clock, tokenService, backing } = world;
    await world.life.stop();
    const next = new LifeWorld({ clock, tokenService, backing });
    for (const pod of world.pods) next.pods.add(pod);
    return await next.start();
  };

  it('renews everything and hands out what was there', async () => {
    world.pod();
    const before = await world.get();
    await world.get({ user: 'bob' });
    const next = await restart();
    await next.clock.advance(1_000);
    expect(next.tokenService.calls.slice(-2).toSorted()).toEqual(['renew 1', 'renew 2']);
    expect((await next.get()).token.sequenceNumber).toBe(before.token.sequenceNumber);
    expect(next.count('issue')).toBe(2);
  });

  it('while Hadoop is away does not ask it again and again', async () => {
    await world.get();
    world.tokenService.failNext('renew', ...Array.from({ length: 2_000 }, down));
    const next = await restart();
    const before = next.count('renew');
    await next.clock.advance(600_000);
    expect(next.count('renew') - before).toBeLessThan(20);
  });

  it('hands out nothing unproven while Hadoop is away', async () => {
    await world.get();
    world.tokenService.failNext('renew', ...Array.from({ length: 50 }, down));
    const next = await restart();
    await expect(next.get()).rejects.toMatchObject({ failure: 'unreachable' });
    expect(next.count('cancel')).toBe(0);
  });
});

describe('generations', () => {
  it('follow each other before a seventh of the life is over, and the old one is renewed on', async () => {
    world.pod();
    const first = await world.get();
    await world.clock.advance(0.91 * INTERVAL_MS);
    const second = await world.get();
    await settle();
    expect(second.token.sequenceNumber).not.toBe(first.token.sequenceNumber);
    expect(states()).toEqual(['current', 'retired']);
    expect(world.backing.tokens.filter(({ retiredAt }) => retiredAt !== undefined)).toHaveLength(1);
    for (let round = 0; round < 5; round += 1) await world.clock.advance(INTERVAL_MS);
    expect(world.tokenService.liveTokens).toEqual([1, 2]);
    await world.clock.advance(1.5 * INTERVAL_MS);
    expect(world.tokenService.liveTokens).toEqual([2]);
    expect(world.eventsOf('dead').map(({ why }) => why)).toEqual(['ended']);
    expect(world.count('cancel')).toBe(0);
  });

  it('give the old one on while the new one cannot be had, for a short time', async () => {
    world.pod();
    const first = await world.get();
    await world.clock.advance(0.91 * INTERVAL_MS);
    world.tokenService.failNext('issue', down());
    const again = await world.get();
    expect(again.token).toBe(first.token);
    expect(again.issuedAt + again.reusePeriodMs - world.clock.now()).toBe(60_000);
    expect(states()).toEqual(['current']);
    expect((await world.get()).token.sequenceNumber).toBe(2);
  });

  describe('of which the next one is long in coming', () => {
    let first: number;

    beforeEach(async () => {
      world.pod();
      first = (await world.get()).token.sequenceNumber;
      await world.clock.advance(0.91 * INTERVAL_MS);
    });

    const numberNow = async (): Promise<number> => (await world.get()).token.sequenceNumber;

    it('keep nobody waiting for more than 5 s, and the next ones not at all', async () => {
      world.tokenService.hang('issue');
      let answered = false;
      const asked = world.get().finally(() => (answered = true));
      await world.clock.advance(4_900);
      expect(answered).toBe(false);
      await world.clock.advance(200);
      expect((await asked).token.sequenceNumber).toBe(first);
      expect(await numberNow()).toBe(first);
      world.tokenService.resume();
      await world.clock.advance(100);
      expect([await numberNow(), world.count('issue')]).toEqual([2, 2]);
    });

    it('are tried for by those who come later, also when nobody waits', async () => {
      world.tokenService.hang('issue');
      const asked = world.get();
      await world.clock.advance(5_000);
      await asked;
      world.tokenService.failNext('issue', down());
      world.tokenService.resume();
      await settle();
      world.tokenService.hang('issue');
      const again = world.get();
      await world.clock.advance(1);
      expect([(await again).token.sequenceNumber, world.count('issue')]).toEqual([first, 3]);
      world.tokenService.resume();
      await settle();
      expect([await numberNow(), world.count('issue')]).toEqual([2, 3]);
    });

    it('let no one in whom Hadoop has refused meanwhile', async () => {
      world.tokenService.hang('issue');
      world.tokenService.failNext('issue', new TokenServiceError('denied', 'no more'));
      const asked = world.get();
      await world.clock.advance(5_000);
      await asked;
      world.tokenService.resume();
      await settle();
      await expect(world.get()).rejects.toThrow('no more');
    });

    it('give the old one on while the store cannot be written, but not once others may have changed it', async () => {
      world.store.away = true;
      const asked = world.get();
      await world.clock.advance(5_000);
      expect((await asked).token.sequenceNumber).toBe(first);
      await world.clock.advance(20_000);
      expect(await numberNow()).toBe(first);
      await world.clock.advance(6_000);
      const late = world.get().catch((error: unknown) => error);
      await world.clock.advance(100_000);
      expect(await late).toMatchObject({ name: 'TokenStoreError' });
    });

    it('end for a caller when it gives up', async () => {
      world.tokenService.hang('issue');
      const gone = new AbortController();
      const asked = world.get({ signal: gone.signal });
      await world.clock.advance(1_000);
      gone.abort(new Error('gone'));
      await expect(asked).rejects.toThrow('gone');
    });
  });

  it('do not cover up that Hadoop says no', async () => {
    await world.get();
    await world.clock.advance(0.91 * INTERVAL_MS);
    world.tokenService.failNext('issue', new TokenServiceError('denied', 'no more'));
    await expect(world.get()).rejects.toThrow('no more');
  });
});

describe('proof of life', () => {
  const cancelElsewhere = async (): Promise<void> => {
    const { token } = await world.get();
    await world.tokenService.cancel(token);
  };

  it('comes before a hand-out after ten minutes, once for all', async () => {
    world.pod();
    await world.get();
    await world.clock.advance(599_000);
    await world.get();
    expect(world.count('renew')).toBe(1);
    await world.clock.advance(2_000);
    await Promise.all([world.get(), world.get()]);
    expect(world.count('renew')).toBe(2);
    await world.get();
    expect(world.count('renew')).toBe(2);
  });

  it('replaces a token that somebody else has cancelled', async () => {
    world.pod();
    await cancelElsewhere();
    const others = await world.get({ namespace: 'other' });
    await world.clock.advance(601_000);
    const asked = world.get();
    await world.clock.advance(2_000);
    expect((await asked).token.sequenceNumber).toBe(3);
    expect(world.eventsOf('dead').map(({ why }) => why)).toEqual(['cancelled-elsewhere']);
    expect((await world.get({ namespace: 'other' })).token).toBe(others.token);
  });

  it.each(['unreachable', 'not-active', 'safe-mode'] as const)(
    'that is answered with %s lets the token out: it most likely lives',
    async (failure) => {
      world.pod();
      const { token } = await world.get();
      await world.clock.advance(601_000);
      world.tokenService.failNext('renew', new TokenServiceError(failure, 'later'));
      expect((await world.get()).token).toBe(token);
      await world.get();
      expect(world.count('renew')).toBe(2);
    },
  );

  it('that fails puts off no renewal that is due', async () => {
    world.pod();
    await world.get();
    await world.clock.advance(INTERVAL_MS / 2 - 1_000);
    world.tokenService.failNext('renew', down());
    await world.get();
    expect(world.count('renew')).toBe(2);
    await world.clock.advance(1_000);
    expect(world.count('renew')).toBe(3);
  });

  it('that takes long keeps nobody waiting for more than 5 s', async () => {
    world.pod();
    const { token } = await world.get();
    await world.clock.advance(601_000);
    world.tokenService.hang('renew');
    let answered = false;
    const asked = world.get().finally(() => (answered = true));
    await world.clock.advance(4_900);
    expect(answered).toBe(false);
    await world.clock.advance(200);
    expect((await asked).token).toBe(token);
    // Who comes next is not kept waiting anew by the same proof.
    expect((await world.get()).token).toBe(token);
  });

  it('is made for a report that a token was refused', async () => {
    const report = { namespace: 'science', podUid: 'uid-1', stampedUser: 'alice', sequenceNumber: 1 };
    await cancelElsewhere();
    expect(await world.life.reportRejected(report)).toBe('alive');
    await world.clock.advance(5_000);
    const answer = world.life.reportRejected(report);
    await world.clock.advance(2_000);
    expect(await answer).toBe('dead');
    expect((await world.get()).token.sequenceNumber).toBe(2);
    expect(await world.life.reportRejected(report)).toBe('unknown');
  });

  it.each([{ namespace: 'other' }, { stampedUser: 'bob' }, { sequenceNumber: 7 }])(
    'is made for no token that the reporting pod may not hold: %j',
    async (other) => {
      await world.get();
      await world.clock.advance(60_000);
      const report = { namespace: 'science', podUid: 'uid-1', stampedUser: 'alice', sequenceNumber: 1 };
      const calls = world.tokenService.calls.length;
      expect(await world.life.reportRejected({ ...report, ...other })).toBe('unknown');
      expect(world.tokenService.calls).toHaveLength(calls);
    },
  );
});
