import { beforeEach, describe, expect, it } from '@jest/globals';
import { settle } from '../../test/fakes/fake-clock.ts';
import { LifeWorld } from '../../test/fakes/token-life-world.ts';
import type { TokenSource } from './credentials.ts';
import type { TokenLifeOptions } from './token-life.ts';
import type { TokenLimit } from './token-limits.ts';
import { TokenServiceError } from './token-service.ts';

let world: LifeWorld;
let limited: TokenLimit[];

async function begin(options: Partial<TokenLifeOptions> = {}): Promise<void> {
  limited = [];
  const onLimited = (limit: TokenLimit): void => void limited.push(limit);
  world = await new LifeWorld({ options: { onLimited, ...options } }).start();
}

beforeEach(async () => {
  await begin();
});

const numberOf = async (user: string, namespace: string): Promise<number> =>
  (await world.get({ user, namespace })).token.sequenceNumber;

describe('limits of live tokens', () => {
  it('of a namespace: no more for it than that [live-tokens-limit]', async () => {
    await begin({ limits: { perNamespace: 2, inAll: 100 } });
    await numberOf('alice', 'science');
    await numberOf('bob', 'science');
    await expect(world.get({ user: 'carol' })).rejects.toMatchObject({ limit: 'namespace' });
    expect([limited, world.count('issue'), world.backing.claims]).toEqual([['namespace'], 2, []]);
  });

  it.each([
    ['of a namespace [live-tokens-limit]', { perNamespace: 2, inAll: 100 }, 'namespace'],
    ['of all [all-live-tokens-limit]', { perNamespace: 100, inAll: 2 }, 'total'],
  ])('count those that are being made: %s', async (_, limits, limit) => {
    await begin({ limits });
    world.tokenService.hang('issue');
    const asked = [numberOf('alice', 'science'), numberOf('bob', 'science')];
    await settle();
    const third = numberOf('carol', 'science').catch((error: unknown) => error);
    await settle();
    world.tokenService.failNext('issue', new TokenServiceError('denied', 'not this one'));
    world.tokenService.resume();
    expect(await third).toMatchObject({ limit });
    const made = await Promise.allSettled(asked);
    expect(made.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
    // Whoever failed takes no room.
    expect(await numberOf('dave', 'science')).toBeGreaterThan(0);
    await expect(numberOf('erin', 'science')).rejects.toMatchObject({ limit });
    expect(limited).toHaveLength(2);
  });

  it('of a namespace: others get theirs', async () => {
    await begin({ limits: { perNamespace: 1, inAll: 100 } });
    expect([await numberOf('alice', 'science'), await numberOf('alice', 'other')]).toEqual([1, 2]);
  });

  it('of all: no more for anybody than that [all-live-tokens-limit]', async () => {
    await begin({ limits: { perNamespace: 100, inAll: 2 } });
    await numberOf('alice', 'science');
    await numberOf('bob', 'other');
    await expect(world.get({ namespace: 'third' })).rejects.toMatchObject({ limit: 'total' });
    expect([limited, world.count('issue'), world.backing.claims]).toEqual([['total'], 2, []]);
  });

  it('take no token from anybody, and let the next generation of one be made', async () => {
    await begin({ limits: { perNamespace: 1, inAll: 1 } });
    world.pod();
    expect(await numberOf('alice', 'science')).toBe(1);
    expect(await numberOf('alice', 'science')).toBe(1);
    await world.clock.advance(3_300_000);
    expect(await numberOf('alice', 'science')).toBe(2);
    expect([world.tokenService.liveTokens, limited]).toEqual([[1, 2], []]);
  });
});

describe('those who wait for one source', () => {
  it('are so many at most, and the others are told at once [source-waiting-limit]', async () => {
    await begin({ maxWaitingPerSource: 2 });
    world.tokenService.hang('issue');
    const waiting = [world.get({ user: 'alice' }), world.get({ user: 'alice' })];
    await settle();
    const another = world.get({ user: 'carol' }).catch((error: unknown) => error);
    await settle();
    world.tokenService.resume();
    await Promise.all(waiting);
    expect(await another).toMatchObject({ failure: 'overloaded' });
    expect(limited).toEqual(['source']);
  });

  it('are not those who have left with the token before it', async () => {
    await begin({ maxWaitingPerSource: 1 });
    world.pod();
    await world.get();
    await world.clock.advance(3_300_000);
    world.tokenService.hang('issue');
    const left = world.get();
    await world.clock.advance(5_000);
    await left;
    const another = world.get({ user: 'carol' });
    await settle();
    world.tokenService.resume();
    expect([(await another).token.owner, limited]).toEqual(['carol', []]);
  });

  it('keep nobody from the token before the next one [source-waiting-limit]', async () => {
    await begin({ maxWaitingPerSource: 1 });
    world.pod();
    const first = await world.get();
    await world.clock.advance(3_300_000);
    world.tokenService.hang('issue');
    const waiting = world.get({ user: 'carol' });
    await settle();
    const another = world.get();
    await settle();
    world.tokenService.resume();
    expect((await another).token).toBe(first.token);
    expect((await waiting).token.owner).toBe('carol');
  });

  it('do not stand in the way of others, nor of who comes after them', async () => {
    const source = (name: string): TokenSource => ({ ...world.source, name });
    const sources = [source('ns1'), source('ns2')] as const;
    await begin({ sources, maxWaitingPerSource: 1 });
    const get = async (of: TokenSource, owner: string): Promise<string> => {
      const request = { source: of, owner, stampedUser: owner, namespace: 'science', podUid: 'uid-1' };
      return (await world.life.cache.get(request)).token.owner;
    };
    const both = [get(sources[0], 'alice'), get(sources[1], 'bob')];
    expect(await Promise.all(both)).toEqual(['alice', 'bob']);
    expect(await get(sources[0], 'carol')).toBe('carol');
  });
});

describe('a token that is stored', () => {
  it('is not handed out when nothing was heard of the store for too long, but after a look [stored-token-not-stale]', async () => {
    await world.get();
    world.store.calls.length = 0;
    world.store.away = true;
    await world.clock.advance(29_000);
    await world.get();
    expect(world.store.calls).toEqual([]);
    await world.clock.advance(2_000);
    await expect(world.get()).rejects.toMatchObject({ name: 'TokenStoreError' });
    expect(world.store.calls).toEqual(['read']);
  });
});
