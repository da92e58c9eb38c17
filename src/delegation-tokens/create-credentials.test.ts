import { describe, expect, it } from '@jest/globals';
import { FakeClock, settle } from '../../test/fakes/fake-clock.ts';
import { FakeTokenService } from '../../test/fakes/fake-token-service.ts';
import { LifeWorld } from '../../test/fakes/token-life-world.ts';
import { createGetCredentials, RETRY_MISSING_MS } from './create-credentials.ts';
import type { CredentialsSelection, TokenSource } from './credentials.ts';
import { drawRefreshAfter } from './refresh-after.ts';
import { TokenServiceError } from './token-service.ts';

const HOUR_MS = 3_600_000;
const HDFS = 'HDFS_DELEGATION_TOKEN';
const KMS = 'kms-dt';

function setUp() {
  const clock = new FakeClock();
  const ns1 = new FakeTokenService({ clock });
  const ns2 = new FakeTokenService({ clock, maxLifetimeMs: 14 * HOUR_MS });
  const kms = new FakeTokenService({ clock, kind: KMS });
  const dev = new FakeTokenService({ clock });
  const sources = [
    sourceOf('prod', 'ns1', ns1),
    sourceOf('prod', 'ns2', ns2),
    sourceOf('prod', 'kms', kms),
    sourceOf('dev', 'ns1', dev),
  ];
  const getCredentials = createGetCredentials({ sources, cache: lifeOf(sources, clock).cache, clock });
  const ask = (selection: CredentialsSelection, signal?: AbortSignal) =>
    getCredentials(
      { owner: 'alice', stampedUser: 'alice', namespace: 'team-a', podUid: 'uid-1', selection },
      signal === undefined ? {} : { signal },
    );
  const get = async (selection: CredentialsSelection = {}, signal?: AbortSignal) =>
    await ask(selection, signal);
  return { clock, ns1, ns2, kms, dev, sources, get, ask };
}

const lifeOf = (sources: readonly TokenSource[], clock: FakeClock) => {
  const world = new LifeWorld({ clock, options: { sources } });
  world.pod({ namespace: 'team-a' });
  void world.start();
  return world.life;
};

const sourceOf = (cluster: string, name: string, tokenService: FakeTokenService): TokenSource => ({
  cluster,
  name,
  kind: tokenService.kind,
  renewer: 'kerbridge',
  services: [`ha-hdfs:${name}`],
  tokenService,
});

async function namesOf(result: Promise<Awaited<ReturnType<ReturnType<typeof setUp>['get']>>>) {
  const credentials = await result;
  if (credentials.outcome !== 'issued') throw new Error(credentials.outcome);
  return credentials.tokens.map(({ source }) => `${source.cluster}/${source.name}`);
}

describe('createGetCredentials', () => {
  it.each<[string, CredentialsSelection, string[]]>([
    ['nothing: every kind of the first cluster', {}, ['prod/ns1', 'prod/ns2', 'prod/kms']],
    ['an empty list of kinds: the same', { kinds: [] }, ['prod/ns1', 'prod/ns2', 'prod/kms']],
    ['another cluster', { cluster: 'dev' }, ['dev/ns1']],
    ['one kind: all its sources', { kinds: [HDFS] }, ['prod/ns1', 'prod/ns2']],
    [
      'a kind and an optional one',
      { kinds: [KMS], optionalKinds: [HDFS] },
      ['prod/ns1', 'prod/ns2', 'prod/kms'],
    ],
    ['the same kind twice', { kinds: [KMS, KMS], optionalKinds: [KMS] }, ['prod/kms']],
  ])('gets, for %s', async (_, selection, expected) => {
    const { get } = setUp();
    expect(await namesOf(get(selection))).toEqual(expected);
  });

  it.each<[CredentialsSelection, object]>([
    [{ cluster: 'test' }, { outcome: 'unknown-cluster', name: 'test' }],
    [{ cluster: '' }, { outcome: 'unknown-cluster', name: '' }],
    [{ cluster: 'Prod' }, { outcome: 'unknown-cluster', name: 'Prod' }],
    [{ kinds: ['HIVE'] }, { outcome: 'unknown-kind', name: 'HIVE' }],
    [{ kinds: [HDFS, 'HIVE'] }, { outcome: 'unknown-kind', name: 'HIVE' }],
    [{ optionalKinds: ['HIVE'] }, { outcome: 'unknown-kind', name: 'HIVE' }],
    [
      { cluster: 'dev', kinds: [KMS] },
      { outcome: 'unknown-kind', name: KMS },
    ],
  ])('asks nobody for %j', async (selection, expected) => {
    const { get, ns1, kms, dev } = setUp();
    expect(await get(selection)).toEqual(expected);
    expect([...ns1.calls, ...kms.calls, ...dev.calls]).toEqual([]);
  });

  it('asks all sources at once', async () => {
    const { get, ns1, ns2, kms } = setUp();
    for (const service of [ns1, ns2, kms]) service.hang('issue');
    const result = get();
    await settle();
    expect([ns1.calls, ns2.calls, kms.calls]).toEqual([['issue alice'], ['issue alice'], ['issue alice']]);
    for (const service of [ns1, ns2, kms]) service.resume();
    expect(await namesOf(result)).toHaveLength(3);
  });

  it.each(['ns1', 'ns2', 'kms'] as const)(
    'fails when the required %s fails, without waiting for the others',
    async (name) => {
      const { get, ...services } = setUp();
      for (const other of ['ns1', 'ns2', 'kms'] as const) {
        if (other !== name) services[other].hang('issue');
      }
      services[name].failNext('issue', new TokenServiceError('safe-mode', 'safe mode'));
      await expect(get()).rejects.toMatchObject({ failure: 'safe-mode' });
    },
  );

  it('fails when a kind named both ways fails', async () => {
    const { get, kms } = setUp();
    kms.failNext('issue', new TokenServiceError('denied', 'no'));
    await expect(get({ kinds: [KMS], optionalKinds: [KMS] })).rejects.toMatchObject({ failure: 'denied' });
  });

  it('leaves a note for an optional kind', async () => {
    const { get, kms, clock } = setUp();
    kms.failNext('issue', new TokenServiceError('denied', 'no'));
    expect(await get({ optionalKinds: [KMS] })).toMatchObject({
      outcome: 'issued',
      tokens: [{ source: { name: 'ns1' } }, { source: { name: 'ns2' } }],
      missing: [{ kind: KMS, code: 'denied' }],
      refresh: { since: clock.now(), periodMs: RETRY_MISSING_MS },
    });
  });

  it('hands out what there is of an optional kind, with one note', async () => {
    const { get, ns2 } = setUp();
    ns2.failNext('issue', new TokenServiceError('unreachable', 'no'));
    expect(await get({ optionalKinds: [HDFS] })).toMatchObject({
      tokens: [{ source: { name: 'ns1' } }, { source: { name: 'kms' } }],
      missing: [{ kind: HDFS, code: 'unreachable' }],
    });
  });

  it('does not take a bug in an optional source for a missing kind', async () => {
    const { get, kms } = setUp();
    kms.failNext('issue', new TypeError('oops'));
    await expect(get({ optionalKinds: [KMS] })).rejects.toThrow('oops');
  });

  it("rejects with the caller's reason when it leaves, also with optional kinds only", async () => {
    const { get, kms } = setUp();
    kms.hang('issue');
    const caller = new AbortController();
    const result = get({ kinds: [], optionalKinds: [KMS, HDFS] }, caller.signal);
    // Of the type that would otherwise become a note.
    const reason = new TokenServiceError('unreachable', 'client went away');
    caller.abort(reason);
    await expect(result).rejects.toBe(reason);
  });

  it('tells when to come back: after the shortest of the periods', async () => {
    const { get, clock } = setUp();
    // ns2: a seventh of 14 h.
    expect(await get()).toMatchObject({ refresh: { since: clock.now(), periodMs: 2 * HOUR_MS } });
  });

  it('never sends anybody away with a token that the next visit would get again', async () => {
    const { get, clock, ns1 } = setUp();
    const first = await get({ kinds: [HDFS], cluster: 'prod' });
    if (first.outcome !== 'issued') throw new Error(first.outcome);
    await clock.advance(drawRefreshAfter(first.refresh, () => 0) - clock.now());
    const second = await get({ kinds: [HDFS] });
    if (second.outcome !== 'issued') throw new Error(second.outcome);
    expect(drawRefreshAfter(second.refresh, () => 0)).toBeGreaterThan(clock.now());
    expect(second.tokens[1]?.token.sequenceNumber).toBe(2);
    expect(ns1.calls.filter((call) => call.startsWith('issue'))).toHaveLength(1);
  });

  it('has what is in memory at once, and the same object for the same tokens', async () => {
    const { get, ask } = setUp();
    const first = await get();
    expect(ask({})).toBe(first);
    expect(ask({ cluster: 'prod', optionalKinds: [KMS] })).toBe(first);
    const fewer = ask({ kinds: [HDFS] });
    expect(fewer).toMatchObject({ tokens: [{ source: { name: 'ns1' } }, { source: { name: 'ns2' } }] });
    expect(ask({ kinds: [HDFS] })).toBe(fewer);
    expect(ask({})).toBe(first);
  });

  it('has another object when one of the tokens is another', async () => {
    const { get, ask, clock, ns2 } = setUp();
    const first = await get();
    await clock.advance(1.9 * HOUR_MS);
    const second = await get();
    expect(ns2.calls).toEqual(['issue alice', 'renew 1', 'issue alice', 'renew 2']);
    expect(second).not.toBe(first);
    expect(ask({})).toBe(second);
  });

  it('says until when each token is good', async () => {
    const { get, clock } = setUp();
    expect(await get({ cluster: 'dev' })).toMatchObject({
      cluster: 'dev',
      tokens: [{ expiresAt: BigInt(clock.now() + 24 * HOUR_MS), token: { owner: 'alice' } }],
      missing: [],
    });
  });

  describe('refuses to be built', () => {
    const clock = new FakeClock();
    const service = new FakeTokenService({ clock });
    const source = sourceOf('prod', 'ns1', service);
    it.each<[string, TokenSource[], RegExp]>([
      ['without sources', [], /no token sources/],
      ['with a source twice', [source, { ...source, services: ['x'] }], /configured twice/],
      ['with a source without a label', [{ ...source, services: [] }], /no service label/],
      ['with a source of another kind', [{ ...source, kind: KMS }], /issues HDFS_DELEGATION_TOKEN/],
    ])('%s', (_, sources, message) => {
      const { cache } = lifeOf([source], clock);
      expect(() => createGetCredentials({ sources, cache, clock })).toThrow(message);
    });
  });
});
