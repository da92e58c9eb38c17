import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock, settle } from '../../../test/fakes/fake-clock.ts';
import { FakePodSource, gone, podObject } from '../../../test/fakes/fake-pod-source.ts';
import { KubernetesApiError, type KubernetesApiFailure } from '../kubernetes-api-error.ts';
import { TooManyRequestsError } from '../error-of-status.ts';
import {
  createPodReflector,
  type PodReflector,
  type PodReflectorEvent,
  type PodReflectorOptions,
} from './pod-reflector.ts';

const A = { name: 'a', uid: 'a-1' };
const B = { name: 'b', uid: 'b-1' };
const C = { name: 'c', uid: 'c-1' };
/** Longer than any wait between two tries. */
const RETRY_MS = 31_000;

let clock: FakeClock;
let source: FakePodSource;
let goneUids: string[];
let events: PodReflectorEvent[];
let reflector: PodReflector;
const unhandled: unknown[] = [];
const onUnhandled = (error: unknown): void => {
  unhandled.push(error);
};

function create(change: Partial<PodReflectorOptions> = {}): PodReflector {
  return createPodReflector({
    source,
    annotationKeys: ['user'],
    clock,
    random: () => 0.5,
    onGone: (uid) => goneUids.push(uid),
    onEvent: (event) => events.push(event),
    ...change,
  });
}

beforeEach(() => {
  clock = new FakeClock();
  source = new FakePodSource();
  goneUids = [];
  events = [];
  reflector = create();
  process.on('unhandledRejection', onUnhandled);
});

afterEach(async () => {
  await reflector.stop();
  await settle();
  expect(clock.sleeping).toBe(0);
  expect(unhandled).toEqual([]);
  process.off('unhandledRejection', onUnhandled);
});

async function sync(): Promise<void> {
  reflector.start();
  await settle();
  expect(reflector.state()).toMatchObject({ synced: true, fresh: true });
}

const names = (): string[] => Array.from(reflector.list(), ({ name }) => name).sort();
const look = (name: string) => reflector.lookUp('team-a', name);
const failures = () => events.filter((event) => event.type === 'failed');
const failure = (code: KubernetesApiFailure): KubernetesApiError => new KubernetesApiError(code, 'x');
/** Keeps the watch from being silent for `ms`. */
async function pass(ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 60_000) {
    await clock.advance(Math.min(left, 60_000));
    source.bookmark();
    await settle();
  }
}

describe('before it is synced', () => {
  it('knows nothing until it is started', async () => {
    source.put(A);
    await settle();
    expect(reflector.state()).toEqual({
      synced: false,
      fresh: false,
      pods: 0,
      resourceVersion: undefined,
      lastHeardAt: undefined,
    });
    expect(source.calls).toEqual([]);
  });

  it('vouches for nothing while a page is missing', async () => {
    source.pageLimit = 1;
    source.put(A);
    source.put(B);
    source.failOnce('list next page', failure('server-error'));
    reflector.start();
    await settle();
    expect(reflector.state()).toMatchObject({ synced: false, fresh: false, resourceVersion: undefined });
    expect(look('a')).toBeUndefined();
  });

  it('vouches for nothing until a watch has begun after the list', async () => {
    source.put(A);
    source.failOnce('watch', failure('unreachable'));
    reflector.start();
    await settle();
    expect(events).toContainEqual({ type: 'listed', pods: 1, pages: 1, durationMs: 0 });
    expect(reflector.state()).toMatchObject({ synced: false, fresh: false, pods: 1 });
    expect(look('a')).toBeUndefined();
    await clock.advance(RETRY_MS);
    expect(look('a')).toMatchObject({ uid: 'a-1' });
    expect(source.calls).toEqual(['list', 'watch 101', 'watch 101']);
  });

  it('lets itself be waited for', async () => {
    let done = false;
    const waiting = reflector.waitUntilSynced().then(() => (done = true));
    source.failOnce('list', failure('unreachable'));
    reflector.start();
    await settle();
    expect(done).toBe(false);
    await clock.advance(RETRY_MS);
    await waiting;
    await reflector.waitUntilSynced();
  });

  it('lets a waiter go that gives up, with its reason', async () => {
    const impatient = new AbortController();
    const waiting = reflector.waitUntilSynced(impatient.signal);
    impatient.abort(new Error('impatient'));
    await expect(waiting).rejects.toThrow('impatient');
    await expect(reflector.waitUntilSynced(impatient.signal)).rejects.toThrow('impatient');
  });

  it('lets a waiter go when it is stopped', async () => {
    const waiting = expect(reflector.waitUntilSynced()).rejects.toThrow('stopped');
    await reflector.stop();
    await waiting;
  });
});

describe('the list', () => {
  it('reads all pages', async () => {
    source.pageLimit = 2;
    for (let n = 0; n < 5; n += 1) source.put({ name: `pod-${n}`, uid: `uid-${n}` });
    await sync();
    expect(names()).toEqual(['pod-0', 'pod-1', 'pod-2', 'pod-3', 'pod-4']);
    expect(source.calls).toEqual(['list', 'list next page', 'list next page', 'watch 105']);
    expect(events).toContainEqual({ type: 'listed', pods: 5, pages: 3, durationMs: 0 });
  });

  it('is watched from its first page, should a later one be of a later version', async () => {
    source.pageLimit = 1;
    source.put(A);
    source.put(B);
    const listPage = source.listPage.bind(source);
    source.listPage = async (continueFrom, signal) => {
      const page = await listPage(continueFrom, signal);
      return continueFrom === undefined ? page : { ...page, resourceVersion: '999' };
    };
    await sync();
    expect(source.calls.at(-1)).toBe('watch 102');
  });

  it('starts anew when its next page is gone', async () => {
    source.pageLimit = 1;
    source.put(A);
    source.put(B);
    source.failOnce('list next page', gone());
    reflector.start();
    await clock.advance(RETRY_MS);
    expect(source.calls).toEqual(['list', 'list next page', 'list', 'list next page', 'watch 102']);
    expect(names()).toEqual(['a', 'b']);
  });

  it.each([
    ['no UID', { metadata: { namespace: 'team-a', name: 'b' } }],
    ['no creationTimestamp', { metadata: { ...podObject(B).metadata, creationTimestamp: undefined } }],
    ['no name', { metadata: { namespace: 'team-a', uid: 'b-1' } }],
    ['no namespace', { metadata: { name: 'b', uid: 'b-1' } }],
    ['addresses that are no list', { status: { podIPs: '10.0.0.7' } }],
    [
      'a deletionTimestamp that is none',
      { metadata: { ...podObject(B).metadata, deletionTimestamp: 'soon' } },
    ],
  ])('is not whole with a pod with %s', async (_, change) => {
    source.put(A);
    source.put(B, change);
    reflector.start();
    await clock.advance(RETRY_MS);
    expect(reflector.state()).toMatchObject({ synced: false, resourceVersion: undefined });
    expect(failures().length).toBeGreaterThan(1);
    source.put(B);
    await clock.advance(RETRY_MS);
    expect(names()).toEqual(['a', 'b']);
    expect(reflector.state().synced).toBe(true);
  });
});

describe('the watch', () => {
  it('brings what happens after the list', async () => {
    source.put(A);
    await sync();
    source.put(B);
    source.put({ ...A, annotations: { user: 'alice', other: 'x' }, podIp: '10.0.0.7' });
    await settle();
    expect(names()).toEqual(['a', 'b']);
    expect(look('a')).toEqual({
      namespace: 'team-a',
      name: 'a',
      uid: 'a-1',
      serviceAccount: 'trainer',
      phase: 'Running',
      createdAt: Date.parse('2026-01-01T00:00:00Z'),
      deletionTimestamp: undefined,
      podIps: ['10.0.0.7'],
      annotations: { user: 'alice' },
    });
    source.delete(A);
    await settle();
    expect(names()).toEqual(['b']);
    expect(look('a')).toBeUndefined();
    expect(reflector.lookUp('team-b', 'b')).toBeUndefined();
    expect(events.map(({ type }) => type)).toEqual(['listed', 'watching', 'put', 'put', 'delete']);
  });

  it('brings what happened between the list and it', async () => {
    source.put(A);
    source.failOnce('watch', failure('unreachable'));
    reflector.start();
    await settle();
    source.delete(A);
    source.put(B);
    await clock.advance(RETRY_MS);
    expect(names()).toEqual(['b']);
  });

  it('reads an event in pieces, also of a character', async () => {
    await sync();
    const line = Buffer.from(
      `${JSON.stringify({ type: 'ADDED', object: { ...podObject({ ...A, annotations: { user: 'zoë 😀' } }), metadata: { ...podObject(A).metadata, resourceVersion: '7', annotations: { user: 'zoë 😀' } } } })}\n`,
    );
    for (const byte of line) source.watch.send(Buffer.of(byte));
    await settle();
    expect(look('a')?.annotations).toEqual({ user: 'zoë 😀' });
  });

  it.each([
    [0, 240],
    [0.5, 360],
    [0.999_999, 480],
  ])('asks for its end after a random time: %d is %d s', async (random, timeoutSeconds) => {
    reflector = create({ random: () => random });
    await sync();
    expect(source.watch.query).toEqual({ resourceVersion: '100', timeoutSeconds });
  });

  it('goes on at once where it was when the API server ends it in good order', async () => {
    await sync();
    source.put(A);
    await pass(60_000);
    source.watch.end();
    await clock.advance(0);
    expect(source.calls).toEqual(['list', 'watch 100', 'watch 101']);
    expect(failures()).toEqual([]);
    source.put(B);
    await settle();
    expect(names()).toEqual(['a', 'b']);
  });

  it('waits longer and longer when watches end as soon as they begin', async () => {
    await sync();
    const waits: number[] = [];
    for (let n = 0; n < 8; n += 1) {
      const before = clock.now();
      const calls = source.calls.length;
      source.watch.end();
      await settle();
      while (source.calls.length === calls) await clock.advance(25);
      waits.push(clock.now() - before);
    }
    expect(waits).toEqual([375, 750, 1500, 3000, 6000, 12_000, 22_500, 22_500]);
  });

  it('goes on from a bookmark', async () => {
    await sync();
    source.watch.sendEvent('BOOKMARK', { kind: 'Pod', metadata: { resourceVersion: '777' } });
    await settle();
    expect(reflector.state().resourceVersion).toBe('777');
    source.watch.fail(failure('unreachable'));
    await clock.advance(RETRY_MS);
    expect(source.calls.at(-1)).toBe('watch 777');
  });

  it('drops an event that was cut off, and gets it from the next watch', async () => {
    await sync();
    source.watch.send('{"type":"ADDED","object":{"kind":"Pod","metadata":{"name":"a"');
    source.watch.end();
    await settle();
    source.put(A);
    await clock.advance(RETRY_MS);
    expect(source.calls).toEqual(['list', 'watch 100', 'watch 100']);
    expect(look('a')).toMatchObject({ uid: 'a-1' });
  });
});

describe('what can not be read', () => {
  const versioned = (pod: object) => ({
    ...pod,
    metadata: { ...podObject(A).metadata, resourceVersion: '999' },
  });
  const event = (type: string, object: unknown) => JSON.stringify({ type, object });

  it.each([
    ['no JSON', '{"type":'],
    ['an empty line', ''],
    ['a list', '[]'],
    ['null', 'null'],
    ['bytes that are no UTF-8', Buffer.from([0x22, 0xff, 0x22])],
    ['an unknown type', event('RENAMED', versioned(podObject(A)))],
    ['no type', event('', versioned(podObject(A)))],
    ['another kind', event('MODIFIED', versioned({ ...podObject(A), kind: 'Service' }))],
    ['no version', event('MODIFIED', podObject(A))],
    ['a version that is no string', event('MODIFIED', { ...podObject(A), metadata: { resourceVersion: 1 } })],
    ['a bookmark without a version', event('BOOKMARK', { kind: 'Pod', metadata: {} })],
    ['a malformed pod', event('MODIFIED', versioned({ ...podObject(A), status: { phase: 1 } }))],
    [
      'a malformed deleted pod',
      event('DELETED', versioned({ ...podObject(A), spec: { serviceAccountName: 1 } })),
    ],
    ['an error that is none', event('ERROR', {})],
    ['410 Gone', event('ERROR', { kind: 'Status', code: 410, reason: 'Expired' })],
  ])('is never left out: %s leads to a new list', async (_, line) => {
    await sync();
    const begun = source.watch;
    begun.send(Buffer.concat([Buffer.from(line), Buffer.from('\n')]));
    source.put(B);
    await settle();
    expect(reflector.state()).toMatchObject({ synced: true, fresh: true, resourceVersion: undefined });
    expect(failures()).toMatchObject([{ relist: true, error: { name: 'KubernetesApiError' } }]);
    await clock.advance(RETRY_MS);
    expect(source.calls).toEqual(['list', 'watch 100', 'list', 'watch 101']);
    expect(begun.closed).toBe(true);
    expect(names()).toEqual(['b']);
  });

  it('is a line without an end', async () => {
    await sync();
    for (let n = 0; n < 9; n += 1) source.watch.send(Buffer.alloc(1024 * 1024, 'x'));
    await clock.advance(RETRY_MS);
    expect(source.calls).toEqual(['list', 'watch 100', 'list', 'watch 100']);
  });

  it('does not undo what came before it in the same piece', async () => {
    await sync();
    source.watch.send(
      `${event('ADDED', versioned(podObject(A)))}\nnonsense\n${event('DELETED', versioned(podObject(A)))}\n`,
    );
    await settle();
    expect(look('a')).toMatchObject({ uid: 'a-1' });
  });
});

describe('a list that replaces', () => {
  it('keeps what is still there and drops what is not', async () => {
    source.put(A);
    source.put(B);
    source.put(C);
    await sync();
    source.watch.fail(failure('bad-reply'));
    await settle();
    source.delete(A);
    source.put({ ...B, uid: 'b-2' });
    await clock.advance(RETRY_MS);
    expect(names()).toEqual(['b', 'c']);
    expect(look('b')).toMatchObject({ uid: 'b-2' });
    expect(goneUids.sort()).toEqual(['a-1', 'b-1']);
  });

  it('drops nothing until it is whole', async () => {
    source.pageLimit = 1;
    source.put(A);
    source.put(B);
    source.put(C);
    await sync();
    source.watch.fail(failure('bad-reply'));
    await settle();
    source.delete(C);
    source.failOnce('list next page', failure('server-error'));
    await clock.advance(400);
    expect(source.calls.slice(-2)).toEqual(['list', 'list next page']);
    expect(goneUids).toEqual([]);
    expect(names()).toEqual(['a', 'b', 'c']);
    await clock.advance(RETRY_MS);
    expect(goneUids).toEqual(['c-1']);
    expect(names()).toEqual(['a', 'b']);
  });

  it('comes at once after compaction, however long the API server was away', async () => {
    source.put(A);
    await sync();
    source.failWith(failure('unreachable'));
    source.watch.fail(failure('unreachable'));
    await clock.advance(60_000);
    source.compact();
    source.failWith(undefined);
    await clock.advance(RETRY_MS);
    expect(source.calls.slice(-3)).toEqual(['watch 101', 'list', 'watch 102']);
    expect(failures().at(-1)).toMatchObject({ error: { httpStatus: 410 }, relist: true, retryInMs: 0 });
  });

  it('that fails is told apart from a watch', async () => {
    source.failOnce('list', failure('unreachable'));
    source.failOnce('watch', failure('unreachable'));
    reflector.start();
    await clock.advance(2 * RETRY_MS);
    expect(failures()).toMatchObject([{ step: 'list' }, { step: 'watch' }]);
  });

  it('waits when what it has just been given is gone too', async () => {
    reflector.start();
    for (let n = 0; n < 3; n += 1) source.failOnce('watch', gone());
    await clock.advance(300);
    expect(source.calls).toEqual(['list', 'watch 100']);
    await clock.advance(RETRY_MS);
    expect(failures().map(({ retryInMs }) => retryInMs)).toEqual([375, 750, 1500]);
    expect(reflector.state().synced).toBe(true);
  });

  it('comes after compaction', async () => {
    source.put(A);
    await sync();
    source.compact();
    source.watch.fail(failure('unreachable'));
    await clock.advance(RETRY_MS);
    expect(source.calls).toEqual(['list', 'watch 101', 'watch 101', 'list', 'watch 102']);
    expect(failures()).toMatchObject([
      { step: 'watch', relist: false },
      { step: 'watch', relist: true, error: { httpStatus: 410 } },
    ]);
  });
});

describe('failures', () => {
  it.each<[KubernetesApiFailure]>([
    ['unreachable'],
    ['timeout'],
    ['credentials'],
    ['unauthorized'],
    ['forbidden'],
    ['too-many-requests'],
    ['server-error'],
  ])('%s: goes on for ever, from where it was', async (code) => {
    source.put(A);
    await sync();
    await pass(60_000);
    source.failWith(failure(code));
    source.watch.fail(failure(code));
    await clock.advance(20_000);
    source.failWith(undefined);
    source.put(B);
    await clock.advance(RETRY_MS);
    expect(names()).toEqual(['a', 'b']);
    expect(new Set(source.calls)).toEqual(new Set(['list', 'watch 101']));
    expect(failures().length).toBeGreaterThan(3);
    expect(failures()).toContainEqual(expect.objectContaining({ error: failure(code), relist: false }));
  });

  it('of a list too', async () => {
    source.failWith(failure('forbidden'));
    reflector.start();
    await clock.advance(3_600_000);
    expect(source.calls.length).toBeGreaterThan(100);
    source.failWith(undefined);
    await clock.advance(RETRY_MS);
    expect(reflector.state().synced).toBe(true);
  });

  it('that are our own mistakes lead to a new list', async () => {
    await sync();
    source.watch.fail(new TypeError('a mistake'));
    await clock.advance(RETRY_MS);
    expect(source.calls).toEqual(['list', 'watch 100', 'list', 'watch 100']);
  });

  it('are retried after longer and longer, and from the beginning after a watch that lived', async () => {
    source.failWith(failure('unreachable'));
    reflector.start();
    await clock.advance(100_000);
    expect(failures().map(({ retryInMs }) => retryInMs)).toEqual([
      375, 750, 1500, 3000, 6000, 12_000, 22_500, 22_500, 22_500, 22_500,
    ]);
    source.failWith(undefined);
    await clock.advance(RETRY_MS);
    expect(reflector.state().synced).toBe(true);
    events.length = 0;
    source.watch.fail(failure('unreachable'));
    await settle();
    expect(failures()).toMatchObject([{ retryInMs: 375 }]);
  });

  it.each([
    ['as long as the API server says', 7_000, 7_375],
    ['at most a minute', 86_400_000, 60_375],
    ['as ever when it does not say', undefined, 375],
  ])('429: waits %s', async (_, retryAfterMs, retryInMs) => {
    source.failOnce('list', new TooManyRequestsError('x', retryAfterMs));
    reflector.start();
    await settle();
    expect(failures()).toMatchObject([{ retryInMs }]);
    await clock.advance(retryInMs - 1);
    expect(source.calls).toEqual(['list']);
    await clock.advance(1);
    expect(source.calls).toEqual(['list', 'list', 'watch 100']);
  });
});

describe('silence', () => {
  it('ends a watch, which goes on where it was', async () => {
    source.put(A);
    await sync();
    const silent = source.watch;
    await clock.advance(89_999);
    expect(silent.closed).toBe(false);
    await clock.advance(1);
    expect(silent.closed).toBe(true);
    expect(failures()).toMatchObject([{ relist: false, error: { code: 'timeout' } }]);
    expect(look('a')).toMatchObject({ uid: 'a-1' });
    await clock.advance(RETRY_MS);
    expect(source.calls).toEqual(['list', 'watch 101', 'watch 101']);
    expect(source.watch.closed).toBe(false);
  });

  it.each([
    ['a bookmark', () => source.bookmark()],
    ['an event', () => source.put(B)],
  ])('is not what %s leaves', async (_, happen) => {
    await sync();
    await clock.advance(80_000);
    happen();
    await clock.advance(80_000);
    expect(source.watch).toBe(source.watches[0]);
    expect(source.watch.closed).toBe(false);
    await clock.advance(10_000);
    expect(source.watches[0]?.closed).toBe(true);
  });

  it('is what bytes without an event are', async () => {
    await sync();
    await clock.advance(80_000);
    source.watch.send('{');
    await clock.advance(10_000);
    expect(source.watches[0]?.closed).toBe(true);
  });

  it('has a limit of the owner', async () => {
    reflector = create({ silenceLimitMs: 900 });
    source.put(A);
    await sync();
    source.failWith(failure('unreachable'));
    await clock.advance(900);
    expect(source.watches[0]?.closed).toBe(true);
    await clock.advance(300);
    expect(reflector.state().fresh).toBe(true);
    await clock.advance(1);
    expect(reflector.state().fresh).toBe(false);
  });
});

describe('staleness', () => {
  it('answers nothing when nothing was heard for too long', async () => {
    source.put(A);
    await sync();
    source.failWith(failure('unreachable'));
    source.watch.fail(failure('unreachable'));
    await clock.advance(120_000);
    expect(look('a')).toMatchObject({ uid: 'a-1' });
    await clock.advance(1);
    expect(look('a')).toBeUndefined();
    expect(reflector.state()).toMatchObject({ synced: true, fresh: false, pods: 1 });
  });

  it('lists anew after too long a gap: a watch would vouch for the old until it has told all', async () => {
    source.put(A);
    await sync();
    source.failWith(failure('unreachable'));
    source.watch.fail(failure('unreachable'));
    await clock.advance(150_000);
    source.failWith(undefined);
    source.delete(A);
    source.calls.length = 0;
    await clock.advance(RETRY_MS);
    expect(source.calls).toEqual(['list', 'watch 102']);
    expect(reflector.state()).toMatchObject({ fresh: true, pods: 0 });
    expect(goneUids).toEqual(['a-1']);
  });

  it('lists anew when a watch takes so long to begin that the gap is too long', async () => {
    source.put(A);
    await sync();
    source.failWith(failure('unreachable'));
    source.watch.fail(failure('unreachable'));
    await clock.advance(100_000);
    source.failWith(undefined);
    source.delete(A);
    const openWatch = source.openWatch.bind(source);
    source.openWatch = async (query, signal) => {
      const opened = await openWatch(query, signal);
      await clock.sleep(query.resourceVersion === '101' ? 29_000 : 0, signal);
      return opened;
    };
    source.calls.length = 0;
    await clock.advance(2 * RETRY_MS);
    expect(source.calls).toEqual(['watch 101', 'list', 'watch 102']);
    expect(reflector.state()).toMatchObject({ fresh: true, pods: 0 });
  });

  it('watches after a list that took longer than that', async () => {
    const listPage = source.listPage.bind(source);
    source.listPage = async (continueFrom, signal) => {
      await clock.sleep(200_000, signal);
      return await listPage(continueFrom, signal);
    };
    reflector.start();
    await clock.advance(200_000);
    expect(reflector.state()).toMatchObject({ synced: true, fresh: true });
    expect(source.calls).toEqual(['list', 'watch 100']);
  });

  it('answers nothing while a new list takes too long', async () => {
    source.put(A);
    await sync();
    source.failWith(failure('server-error'));
    source.watch.sendEvent('ERROR', { kind: 'Status', code: 410 });
    await settle();
    expect(look('a')).toMatchObject({ uid: 'a-1' });
    await clock.advance(120_001);
    expect(look('a')).toBeUndefined();
  });

  it('answers nothing when the clock was set back: nobody knows how old its knowledge is', async () => {
    source.put(A);
    const now = clock.now.bind(clock);
    let back = 0;
    clock.now = () => now() - back;
    await sync();
    back = 1;
    expect(look('a')).toBeUndefined();
    source.bookmark();
    await settle();
    expect(look('a')).toBeUndefined();
    // The API server is asked how far it is.
    await clock.advance(30_000);
    expect(look('a')).toMatchObject({ uid: 'a-1' });
  });
});

describe('a watch that is held up', () => {
  /** The API server is further than what is let through: bookmarks, and behind them the end of a pod. */
  async function holdUp(): Promise<void> {
    source.put(A);
    await sync();
    source.namedVersion = '1000';
  }

  it.each<[string, string | Error]>([
    ['has not come to where the API server was', '1000'],
    ['can not be compared with the API server', 'opaque'],
    ['nobody could compare with the API server', failure('server-error')],
  ])('is ended after 150 s if it %s, however lively, and a list tells', async (_, named) => {
    source.put(A);
    await sync();
    source.namedVersion = named;
    await pass(149_999);
    expect(source.calls).toEqual(['list', 'watch 101']);
    const held = source.watch;
    expect(look('a')).toMatchObject({ uid: 'a-1' });
    await clock.advance(1);
    expect(held.closed).toBe(true);
    expect(failures()).toMatchObject([{ relist: true, error: { code: 'bad-reply' } }]);
    source.delete(A);
    await clock.advance(RETRY_MS);
    expect(source.calls).toEqual(['list', 'watch 101', 'list', 'watch 102']);
    expect(goneUids).toEqual(['a-1']);
  });

  it('is not vouched for 180 s after the last that is sure, when no list can be had', async () => {
    await holdUp();
    const listPage = source.listPage.bind(source);
    source.listPage = async (continueFrom, signal) => {
      await clock.sleep(60_000, signal);
      return await listPage(continueFrom, signal);
    };
    await pass(149_999);
    await clock.advance(30_001);
    expect(look('a')).toMatchObject({ uid: 'a-1' });
    await clock.advance(1);
    expect(look('a')).toBeUndefined();
  });

  it('is told from one that comes there in time', async () => {
    await holdUp();
    for (let minute = 1; minute <= 6; minute += 1) {
      await clock.advance(60_000);
      // Where the API server was a minute and a half ago, and the question after that.
      source.watch.sendEvent('BOOKMARK', {
        kind: 'Pod',
        metadata: { resourceVersion: source.namedVersion },
      });
      await settle();
      source.namedVersion = String(1000 + minute);
    }
    expect(source.calls).toEqual(['list', 'watch 101']);
    expect(look('a')).toMatchObject({ uid: 'a-1' });
  });

  it('is not gone on with when it breaks: what it would tell from there is as old', async () => {
    await holdUp();
    await pass(149_000);
    source.failWith(failure('unreachable'));
    source.watch.fail(failure('unreachable'));
    await clock.advance(31_001);
    source.calls.length = 0;
    source.failWith(undefined);
    source.namedVersion = undefined;
    source.delete(A);
    await clock.advance(RETRY_MS);
    expect(source.calls).toEqual(['list', 'watch 102']);
    expect(reflector.state()).toMatchObject({ fresh: true, pods: 0 });
  });

  it('does not follow a list that took too long as if that were new', async () => {
    source.put(A);
    source.namedVersion = '1000';
    const listPage = source.listPage.bind(source);
    source.listPage = async (continueFrom, signal) => {
      const page = await listPage(continueFrom, signal);
      await clock.sleep(200_000, signal);
      return page;
    };
    reflector.start();
    await clock.advance(200_000);
    expect(reflector.state()).toMatchObject({ synced: true, fresh: false });
    source.watch.sendEvent('BOOKMARK', { kind: 'Pod', metadata: { resourceVersion: '1000' } });
    await settle();
    expect(reflector.state()).toMatchObject({ synced: true, fresh: true });
  });

  it('is not ended by the API server: 30 s later we do, and a list tells', async () => {
    source.put(A);
    await sync();
    const held = source.watch;
    expect(held.query.timeoutSeconds).toBe(360);
    await pass(389_999);
    expect(held.closed).toBe(false);
    source.delete(A);
    await clock.advance(1);
    expect(held.closed).toBe(true);
    await clock.advance(RETRY_MS);
    expect(source.calls).toEqual(['list', 'watch 101', 'list', 'watch 102']);
    expect(failures()).toMatchObject([
      { relist: true, error: { message: expect.stringMatching(/360000 ms/) } },
    ]);
  });

  it('is looked for twice a minute', async () => {
    await sync();
    expect(source.versionReads).toBe(1);
    await pass(60_000);
    expect(source.versionReads).toBe(3);
  });
});

describe('pods that are gone', () => {
  it('are reported when they can no longer be seen', async () => {
    const seen: unknown[] = [];
    reflector = create({ onGone: (uid) => seen.push([uid, look('a')]) });
    source.put(A);
    await sync();
    source.delete(A);
    await settle();
    expect(seen).toEqual([['a-1', undefined]]);
  });

  it.each(['Succeeded', 'Failed'])('are those that have ended too: %s, once', async (phase) => {
    source.put(A);
    await sync();
    source.put({ ...A, phase });
    source.put({ ...A, phase });
    await settle();
    expect(goneUids).toEqual(['a-1']);
    expect(look('a')).toMatchObject({ phase });
    source.delete(A);
    await settle();
    expect(goneUids).toEqual(['a-1']);
  });

  it('are those that had ended before they were first seen', async () => {
    source.put({ ...A, phase: 'Succeeded' });
    await sync();
    expect(goneUids).toEqual(['a-1']);
  });

  it('are those replaced by another of the same name, with no DELETED in between', async () => {
    source.put(A);
    await sync();
    source.put({ ...A, uid: 'a-2' });
    await settle();
    expect(goneUids).toEqual(['a-1']);
    expect(look('a')).toMatchObject({ uid: 'a-2' });
    expect(reflector.state().pods).toBe(1);
  });

  it('are not those of another UID than was deleted', async () => {
    source.put({ ...A, uid: 'a-2' });
    await sync();
    source.watch.sendEvent('DELETED', {
      ...podObject(A),
      metadata: { ...podObject(A).metadata, resourceVersion: '999' },
    });
    await settle();
    expect(goneUids).toEqual([]);
    expect(look('a')).toMatchObject({ uid: 'a-2' });
    expect(reflector.state().resourceVersion).toBe('999');
  });

  it('are not those that nobody knew', async () => {
    await sync();
    source.watch.sendEvent('DELETED', {
      ...podObject(A),
      metadata: { ...podObject(A).metadata, resourceVersion: '999' },
    });
    await settle();
    expect(goneUids).toEqual([]);
  });

  it('do not stop it when the callback throws', async () => {
    const broken = new Error('broken');
    reflector = create({
      onGone: () => {
        throw broken;
      },
    });
    source.put(A);
    source.put(B);
    await sync();
    source.delete(A);
    source.delete(B);
    source.put(C);
    await settle();
    expect(names()).toEqual(['c']);
    expect(events.filter(({ type }) => type === 'callback-failed')).toEqual([
      { type: 'callback-failed', error: broken },
      { type: 'callback-failed', error: broken },
    ]);
    expect(source.watches).toHaveLength(1);
  });
});

describe('a callback for events that throws', () => {
  it('stops nothing', async () => {
    reflector = create({
      onEvent: () => {
        throw new Error('broken');
      },
    });
    await sync();
    source.put(A);
    source.watch.fail(failure('unreachable'));
    await clock.advance(RETRY_MS);
    source.put(B);
    await settle();
    expect(names()).toEqual(['a', 'b']);
  });
});

describe('stop', () => {
  it('ends the watch and vouches for nothing any more', async () => {
    source.put(A);
    await sync();
    const begun = source.watch;
    await reflector.stop();
    expect(begun.closed).toBe(true);
    expect(look('a')).toBeUndefined();
    expect(reflector.state()).toMatchObject({ synced: true, fresh: false });
    await clock.advance(3_600_000);
    expect(source.calls).toEqual(['list', 'watch 101']);
    expect(failures()).toEqual([]);
  });

  it('ends the waiting between two tries', async () => {
    source.failWith(failure('unreachable'));
    reflector.start();
    await settle();
    expect(clock.sleeping).toBe(1);
    await reflector.stop();
    expect(clock.sleeping).toBe(0);
  });

  it('has nothing to do before the start, and starts nothing after it', async () => {
    await reflector.stop();
    reflector.start();
    await settle();
    expect(source.calls).toEqual([]);
  });

  it('starts once', async () => {
    reflector.start();
    reflector.start();
    await settle();
    expect(source.calls).toEqual(['list', 'watch 100']);
  });
});
