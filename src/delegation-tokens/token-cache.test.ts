import { describe, expect, it } from '@jest/globals';
import { FakeClock, settle } from '../../test/fakes/fake-clock.ts';
import { FakeTokenService, type FakeTokenServiceOptions } from '../../test/fakes/fake-token-service.ts';
import { Secret } from '../observability/secret.ts';
import type { TokenSource } from './credentials.ts';
import { FIRST_HOLD_MS } from './held-refusals.ts';
import { ABANDON_AFTER_MS, FLIGHT_TIMEOUT_MS, TokenCache, type TokenCacheOptions } from './token-cache.ts';
import {
  type DelegationToken,
  type TokenService,
  TokenServiceError,
  type TokenServiceFailure,
} from './token-service.ts';

const HOUR_MS = 3_600_000;
/** Hadoop's defaults give a period of 12 h, of which nine tenths are used. */
const REUSE_MS = 10.8 * HOUR_MS;

function setUp(
  options: Partial<TokenCacheOptions> = {},
  serviceOptions: Partial<FakeTokenServiceOptions> = {},
) {
  const clock = new FakeClock();
  const tokenService = new FakeTokenService({ clock, ...serviceOptions });
  const source = sourceOf(tokenService);
  const lookUps: string[] = [];
  const cache = new TokenCache({ clock, onLookUp: (result) => lookUps.push(result), ...options });
  const get = (owner = 'alice', namespace = 'team-a', signal?: AbortSignal) =>
    cache.get({ source, owner, namespace }, signal === undefined ? {} : { signal });
  return { clock, tokenService, source, cache, get, lookUps };
}

const sourceOf = (tokenService: FakeTokenService, change: Partial<TokenSource> = {}): TokenSource => ({
  cluster: 'prod',
  name: 'ns1',
  kind: tokenService.kind,
  renewer: 'kerbridge',
  services: ['ha-hdfs:ns1'],
  tokenService,
  ...change,
});
/** As JSON, which knows no bigint. */
const shown = (value: unknown) =>
  JSON.stringify(value, (_key, part: unknown) => (typeof part === 'bigint' ? String(part) : part));
/** Of a call that has failed by now; undefined: it has not. */
async function failureAtOnce(call: Promise<unknown>): Promise<unknown> {
  let failure: unknown;
  call.catch((error: unknown) => {
    failure = error instanceof TokenServiceError ? error.failure : error;
  });
  await settle();
  return failure;
}
const failed = (failure: TokenServiceFailure) => new TokenServiceError(failure, failure);

describe('TokenCache', () => {
  it('issues, proves by a renewal, and hands the same token out again', async () => {
    const { clock, tokenService, source, get, lookUps } = setUp();
    const first = await get();
    expect(first).toMatchObject({
      source,
      token: { owner: 'alice', renewer: 'kerbridge', sequenceNumber: 1 },
      expiresAt: BigInt(clock.now() + 24 * HOUR_MS),
      issuedAt: clock.now(),
      reusePeriodMs: 12 * HOUR_MS,
    });
    await clock.advance(REUSE_MS - 1);
    expect(await get()).toBe(first);
    expect(tokenService.calls).toEqual(['issue alice', 'renew 1']);
    expect(lookUps).toEqual(['miss', 'hit']);
  });

  it('gets a new token when the old one has been given out for long enough, and cancels nothing', async () => {
    const { clock, tokenService, get } = setUp();
    await get();
    await clock.advance(REUSE_MS);
    expect((await get()).token.sequenceNumber).toBe(2);
    expect(tokenService.liveTokens).toEqual([1, 2]);
    expect(tokenService.calls).toEqual(['issue alice', 'renew 1', 'issue alice', 'renew 2']);
  });

  it('goes by six sevenths of the greatest life when that is what comes first', async () => {
    const { clock, get } = setUp({}, { maxLifetimeMs: 14 * HOUR_MS, renewIntervalMs: 10 * HOUR_MS });
    await get();
    await clock.advance(1.8 * HOUR_MS - 1);
    expect((await get()).token.sequenceNumber).toBe(1);
    await clock.advance(1);
    expect((await get()).token.sequenceNumber).toBe(2);
  });

  it('does not trust the age of a token when the clock was set back', async () => {
    const { tokenService, source } = setUp();
    let now = 1_000_000;
    const clock = { now: () => now, uptime: () => now, sleep: () => new Promise<never>(() => {}) };
    const cache = new TokenCache({ clock });
    await cache.get({ source, owner: 'alice', namespace: 'a' });
    now -= 1;
    await cache.get({ source, owner: 'alice', namespace: 'a' });
    expect(tokenService.calls.filter((call) => call.startsWith('issue'))).toHaveLength(2);
  });

  it.each([
    ['owner', 'bob', 'team-a', {}],
    ['owner in another case', 'Alice', 'team-a', {}],
    ['namespace', 'alice', 'team-b', {}],
    ['cluster', 'alice', 'team-a', { cluster: 'dev' }],
    ['source', 'alice', 'team-a', { name: 'ns2' }],
    ['separators that shift', 'alice","kerbridge', 'team-a', {}],
  ])('never answers for another %s', async (_, owner, namespace, change) => {
    const { cache, source, tokenService } = setUp();
    const first = await cache.get({ source, owner: 'alice', namespace: 'team-a' });
    const other = await cache.get({ source: { ...source, ...change }, owner, namespace });
    expect(other.token.sequenceNumber).not.toBe(first.token.sequenceNumber);
    expect(other.token.owner).toBe(owner);
    expect(tokenService.calls).toHaveLength(4);
  });

  it('never answers for another kind or renewer', async () => {
    const { cache, source, clock } = setUp();
    const kms = new FakeTokenService({ clock, kind: 'kms-dt' });
    const yarn = new FakeTokenService({ clock, us: 'yarn' });
    const at = { owner: 'alice', namespace: 'team-a' };
    await cache.get({ source, ...at });
    expect((await cache.get({ source: sourceOf(kms), ...at })).token.kind).toBe('kms-dt');
    expect((await cache.get({ source: sourceOf(yarn, { renewer: 'yarn' }), ...at })).token.renewer).toBe(
      'yarn',
    );
  });

  it.each([
    ['namespace and owner swapped', ['a', 'b'], ['b', 'a']],
    ['a separator in the owner', ['a,b', 'c'], ['a', 'b,c']],
    ['a quote in the owner', ['a"', 'b'], ['a', '"b']],
  ])(
    'keeps keys apart: %s',
    async (_, [owner = '', namespace = ''], [otherOwner = '', otherNamespace = '']) => {
      const { get, tokenService } = setUp();
      await get(owner, namespace);
      await get(otherOwner, otherNamespace);
      expect(tokenService.calls.filter((call) => call.startsWith('issue'))).toEqual([
        `issue ${owner}`,
        `issue ${otherOwner}`,
      ]);
    },
  );

  describe('never hands out', () => {
    it.each<[string, Partial<DelegationToken>]>([
      ["the service's own token", { owner: 'kerbridge' }],
      ["somebody else's token", { owner: 'bob' }],
      ['a token for another renewer', { renewer: 'bob' }],
      ['a token of another kind', { kind: 'WEBHDFS delegation' }],
      ['a token that had expired', { maxDate: 0n }],
    ])('%s', async (_, change) => {
      const { clock, tokenService, cache, get } = setUp();
      tokenService.alterIssued = (token) => ({ ...token, ...change });
      await expect(get()).rejects.toMatchObject({ failure: 'wrong-token' });
      // Nor is it cancelled: it may be somebody else's.
      expect(tokenService.calls).toEqual(['issue alice']);
      expect(cache.size).toBe(0);
      tokenService.alterIssued = (token) => token;
      await clock.advance(FIRST_HOLD_MS);
      expect((await get()).token).toMatchObject({ owner: 'alice', sequenceNumber: 2 });
    });

    it('a token that we may not renew', async () => {
      const { get, tokenService } = setUp({}, { us: 'somebody' });
      await expect(get()).rejects.toMatchObject({ failure: 'denied' });
      expect(tokenService.calls).toEqual(['issue alice', 'renew 1']);
    });
  });

  describe('when the renewal gets a final no', () => {
    const FINAL: readonly TokenServiceFailure[] = ['invalid-token', 'bad-request', 'denied', 'wrong-token'];

    it.each(FINAL)(
      '%s: makes no other token for a while, and cancels none: this one may be an old answer repeated',
      async (failure) => {
        const { clock, cache, get, tokenService } = setUp();
        tokenService.failNext('renew', failed(failure));
        for (let request = 0; request < 100; request += 1) {
          await expect(get()).rejects.toMatchObject({ failure });
        }
        expect(tokenService.calls).toEqual(['issue alice', 'renew 1']);
        expect([tokenService.liveTokens, cache.size]).toEqual([[1], 0]);
        await clock.advance(FIRST_HOLD_MS);
        expect((await get()).token.sequenceNumber).toBe(2);
      },
    );

    it.each<TokenServiceFailure>(['unreachable', 'not-active', 'safe-mode', 'authentication'])(
      'cancels nothing after %s, which is none',
      async (failure) => {
        const { get, tokenService } = setUp();
        tokenService.failNext('renew', failed(failure));
        await expect(get()).rejects.toMatchObject({ failure });
        expect(tokenService.liveTokens).toEqual([1]);
      },
    );

    it('cancels nothing when its own time is up', async () => {
      const { clock, get, tokenService } = setUp();
      tokenService.hang('renew');
      tokenService.failNext('renew', failed('denied'));
      const outcome = get().catch((error: unknown) => error);
      await clock.advance(FLIGHT_TIMEOUT_MS);
      tokenService.resume();
      await outcome;
      expect(tokenService.liveTokens).toEqual([1]);
    });

    it('pushes no good token out', async () => {
      const { cache, get, tokenService } = setUp({ maxEntries: 1 });
      const good = await get('alice');
      tokenService.failNext('renew', failed('denied'));
      await expect(get('bob')).rejects.toMatchObject({ failure: 'denied' });
      expect([await get('alice'), cache.size]).toEqual([good, 1]);
    });
  });

  describe('when the renewal gets no answer', () => {
    it.each<TokenServiceFailure>(['unreachable', 'not-active', 'safe-mode', 'authentication'])(
      'fails with %s, keeps the token, and proves it with the next request',
      async (failure) => {
        const { clock, get, tokenService } = setUp();
        tokenService.failNext('renew', failed(failure), failed(failure));
        await expect(get()).rejects.toMatchObject({ failure });
        await expect(get()).rejects.toMatchObject({ failure });
        await clock.advance(1000);
        expect(await get()).toMatchObject({ token: { sequenceNumber: 1 }, issuedAt: clock.now() - 1000 });
        expect(tokenService.calls).toEqual(['issue alice', 'renew 1', 'renew 1', 'renew 1']);
      },
    );

    it('makes another token when the kept one turns out dead', async () => {
      const { get, tokenService } = setUp();
      tokenService.failNext('renew', failed('unreachable'), failed('invalid-token'));
      await expect(get()).rejects.toMatchObject({ failure: 'unreachable' });
      expect((await get()).token.sequenceNumber).toBe(2);
    });

    it('makes another token when the kept one has grown old', async () => {
      const { clock, get, tokenService } = setUp();
      tokenService.failNext('renew', failed('unreachable'));
      await expect(get()).rejects.toMatchObject({ failure: 'unreachable' });
      await clock.advance(22 * HOUR_MS);
      expect((await get()).token.sequenceNumber).toBe(2);
      expect(tokenService.calls.filter((call) => call === 'renew 1')).toHaveLength(1);
    });
  });

  describe('failures', () => {
    it.each<TokenServiceFailure>(['unreachable', 'not-active', 'safe-mode', 'authentication'])(
      'does not remember %s',
      async (failure) => {
        const { get, tokenService } = setUp();
        tokenService.failNext('issue', failed(failure));
        await expect(get()).rejects.toMatchObject({ failure });
        expect((await get()).token.owner).toBe('alice');
      },
    );

    it.each<TokenServiceFailure>(['denied', 'invalid-token', 'wrong-token', 'bad-request'])(
      'remembers %s for some seconds, for that key alone',
      async (failure) => {
        const { clock, get, tokenService, lookUps } = setUp();
        tokenService.failNext('issue', failed(failure));
        await expect(get()).rejects.toMatchObject({ failure });
        await clock.advance(FIRST_HOLD_MS - 1);
        await expect(get()).rejects.toMatchObject({ failure });
        expect(tokenService.calls).toEqual(['issue alice']);
        expect(lookUps).toEqual(['miss', 'hit']);
        expect((await get('bob')).token.owner).toBe('bob');
        await clock.advance(1);
        expect((await get()).token.owner).toBe('alice');
      },
    );

    it('remembers for longer what comes again, until a success', async () => {
      const { clock, get, tokenService } = setUp();
      const refused = async () => {
        tokenService.failNext('issue', failed('denied'));
        await expect(get()).rejects.toMatchObject({ failure: 'denied' });
      };
      await refused();
      await clock.advance(FIRST_HOLD_MS);
      await refused();
      await clock.advance(2 * FIRST_HOLD_MS - 1);
      await expect(get()).rejects.toMatchObject({ failure: 'denied' });
      expect(tokenService.calls).toEqual(['issue alice', 'issue alice']);
      await clock.advance(1);
      await get();
      await clock.advance(REUSE_MS);
      await refused();
      await clock.advance(FIRST_HOLD_MS);
      expect((await get()).token.owner).toBe('alice');
    });

    it('push no good token out', async () => {
      const { get, tokenService } = setUp({ maxEntries: 2 });
      await get('alice');
      for (let name = 0; name < 10; name += 1) {
        tokenService.failNext('issue', failed('denied'));
        await expect(get(`nobody${name}`, 'team-b')).rejects.toMatchObject({ failure: 'denied' });
      }
      expect((await get('alice')).token.sequenceNumber).toBe(1);
    });
  });

  describe('one flight', () => {
    it('serves concurrent requests', async () => {
      const { get, tokenService } = setUp();
      const tokens = await Promise.all([get(), get(), get(), get('bob')]);
      expect(tokens.map(({ token }) => token.owner)).toEqual(['alice', 'alice', 'alice', 'bob']);
      expect(tokenService.calls.filter((call) => call.startsWith('issue'))).toEqual([
        'issue alice',
        'issue bob',
      ]);
    });

    it('goes on when the caller that began it leaves', async () => {
      const { get, tokenService } = setUp();
      tokenService.hang('issue');
      const caller = new AbortController();
      const leaving = get('alice', 'team-a', caller.signal);
      const staying = get();
      caller.abort(new Error('client went away'));
      await expect(leaving).rejects.toThrow('client went away');
      tokenService.resume();
      expect((await staying).token.owner).toBe('alice');
      expect(tokenService.calls).toEqual(['issue alice', 'renew 1']);
    });

    it('is waited for by so many and no more, also those who share it; a hit waits for nobody [source-waiting-limit]', async () => {
      const { clock, get, cache, tokenService, lookUps } = setUp({ maxWaitingPerSource: 3 });
      await get('carol');
      tokenService.hang('issue');
      const leaver = new AbortController();
      const waiting = [get(), get(), get('bob', 'team-b', leaver.signal)];
      expect(await failureAtOnce(get('dave'))).toBe('overloaded');
      expect(await failureAtOnce(get())).toBe('overloaded');
      expect((await get('carol')).token.owner).toBe('carol');
      const other = sourceOf(new FakeTokenService({ clock }), { name: 'ns2' });
      expect((await cache.get({ source: other, owner: 'dave', namespace: 'a' })).token.owner).toBe('dave');
      leaver.abort(new Error('client went away'));
      await expect(waiting.pop()).rejects.toThrow('client went away');
      waiting.push(get('dave'));
      expect(await failureAtOnce(get('erin'))).toBe('overloaded');
      tokenService.resume();
      expect((await Promise.all(waiting)).map(({ token }) => token.owner)).toEqual([
        'alice',
        'alice',
        'dave',
      ]);
      expect((await get('erin')).token.owner).toBe('erin');
      expect(lookUps).toEqual([
        'miss',
        'miss',
        'miss',
        'miss',
        'miss',
        'miss',
        'hit',
        ...Array.from({ length: 4 }, () => 'miss'),
      ]);
    });

    it('is waited for by 250 of one source [source-waiting-limit]', async () => {
      const { get, tokenService } = setUp();
      tokenService.hang('issue');
      const waiting = Array.from({ length: 250 }, () => get());
      expect(await failureAtOnce(get())).toBe('overloaded');
      tokenService.resume();
      expect(await Promise.all(waiting)).toHaveLength(250);
    });

    it('starts nothing for a caller that comes aborted', async () => {
      const { get, tokenService } = setUp();
      await expect(get('alice', 'team-a', AbortSignal.abort(new Error('gone')))).rejects.toThrow('gone');
      expect(tokenService.calls).toEqual([]);
    });

    it.each(['issue', 'renew'] as const)(
      'ends by its own time-out when %s hangs, deaf to its signal',
      async (operation) => {
        const { clock, get, tokenService } = setUp();
        tokenService.hang(operation);
        const outcome = get().catch((error: unknown) => error);
        await clock.advance(FLIGHT_TIMEOUT_MS + ABANDON_AFTER_MS);
        expect(await outcome).toMatchObject({
          failure: 'unreachable',
          message: expect.stringContaining('90000 ms'),
        });
        expect(clock.sleeping).toBe(0);
      },
    );

    it('fails with what the token service has learned when its time is up', async () => {
      const { clock, cache, source, tokenService } = setUp({ flightTimeoutMs: 5000 });
      const learned = new TokenServiceError('authentication', 'so far: no ticket');
      let deadline: number | undefined;
      const slow: TokenService = {
        kind: tokenService.kind,
        issue: async (_, { signal, ...call } = {}) => {
          deadline = call.deadline;
          await clock.sleep(60_000, signal).catch(() => {});
          throw learned;
        },
        renew: () => Promise.reject(new Error('not asked')),
        cancel: () => Promise.reject(new Error('not asked')),
      };
      const startedAt = clock.now();
      const outcome = cache
        .get({ source: { ...source, tokenService: slow }, owner: 'alice', namespace: 'a' })
        .catch((error: unknown) => error);
      await clock.advance(5000);
      expect(await outcome).toBe(learned);
      expect([deadline, clock.sleeping]).toEqual([startedAt + 5000, 0]);
    });

    it('forgets what comes after its time-out', async () => {
      const { clock, cache, get, tokenService } = setUp();
      tokenService.hang('issue');
      const outcome = get().catch((error: unknown) => error);
      await clock.advance(FLIGHT_TIMEOUT_MS + ABANDON_AFTER_MS);
      expect(await outcome).toMatchObject({ failure: 'unreachable' });
      tokenService.resume();
      await settle();
      expect(cache.size).toBe(0);
      expect((await get()).token.sequenceNumber).toBe(2);
    });

    it('leaves no timer behind', async () => {
      const { clock, get, tokenService } = setUp();
      await get();
      tokenService.failNext('issue', failed('unreachable'));
      await expect(get('bob')).rejects.toThrow();
      expect(clock.sleeping).toBe(0);
    });
  });

  it('drops the least recently used entry when there are too many, without cancelling it', async () => {
    const { cache, get, tokenService } = setUp({ maxEntries: 2 });
    await get('alice');
    await get('bob');
    await get('alice');
    await get('carol');
    expect(cache.size).toBe(2);
    expect((await get('alice')).token.sequenceNumber).toBe(1);
    expect((await get('bob')).token.sequenceNumber).toBe(4);
    expect(tokenService.liveTokens).toEqual([1, 2, 3, 4]);
  });

  it('lets a namespace with many users push out only its own', async () => {
    const { get, tokenService } = setUp({ maxEntries: 5 });
    await get('alice', 'team-a');
    for (let name = 0; name < 20; name += 1) await get(`user${name}`, 'team-b');
    const issued = tokenService.liveTokens.length;
    await get('alice', 'team-a');
    expect(tokenService.liveTokens).toHaveLength(issued);
    await get('user19', 'team-b');
    expect(tokenService.liveTokens).toHaveLength(issued);
  });

  it('does not keep passwords that will not be handed out again', async () => {
    const { cache, clock, get } = setUp();
    await get('alice');
    await clock.advance(REUSE_MS);
    await get('bob');
    expect(cache.size).toBe(1);
  });

  it('never cancels what was handed out', async () => {
    const { clock, get, tokenService } = setUp({ maxEntries: 1 });
    for (const owner of ['alice', 'bob', 'alice', 'carol']) {
      await get(owner);
      await clock.advance(REUSE_MS);
    }
    expect(tokenService.calls.filter((call) => call.startsWith('cancel'))).toEqual([]);
  });

  it('lists what it holds, without what authenticates', async () => {
    const { clock, cache, get, tokenService } = setUp();
    tokenService.alterIssued = (token) => ({
      ...token,
      identifier: Buffer.from('identifier-bytes'),
      password: new Secret<Uint8Array>(Buffer.from('password-bytes')),
    });
    expect(cache.list()).toEqual([]);
    await get('alice', 'team-a');
    await get('bob', 'team-b');
    const [first, second] = cache.list();
    expect(first).toEqual({
      cluster: 'prod',
      source: 'ns1',
      kind: 'HDFS_DELEGATION_TOKEN',
      services: ['ha-hdfs:ns1'],
      owner: 'alice',
      namespace: 'team-a',
      renewer: 'kerbridge',
      sequenceNumber: 1,
      issuedAt: BigInt(clock.now()),
      maxDate: BigInt(clock.now() + 7 * 24 * HOUR_MS),
      expiresAt: BigInt(clock.now() + 24 * HOUR_MS),
      handedOutUntil: clock.now() + REUSE_MS,
    });
    expect(second).toMatchObject({ owner: 'bob', namespace: 'team-b', sequenceNumber: 2 });
    for (const bytes of ['identifier-bytes', 'password-bytes']) {
      expect(shown(cache.list())).not.toContain(shown(Buffer.from(bytes)).slice(1, -1));
      expect(shown(cache.list())).not.toContain(bytes);
    }
  });

  it('lists a token that nobody got as one without an expiry', async () => {
    const { cache, get, tokenService } = setUp();
    tokenService.failNext('renew', failed('unreachable'));
    await expect(get()).rejects.toThrow();
    expect(cache.list()).toEqual([
      expect.objectContaining({ sequenceNumber: 1, expiresAt: undefined, handedOutUntil: undefined }),
    ]);
  });
});
