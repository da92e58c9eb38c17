import { describe, expect, it } from '@jest/globals';
import { FakeClock } from '../../test/fakes/fake-clock.ts';
import {
  MAX_AGE_MS,
  POLL_INTERVAL_MS,
  READ_TIMEOUT_MS,
  RevocationList,
  type RevocationListEvent,
} from './revocation-list.ts';
import type { Revocation } from './revocations.ts';

const revocationOf = (user: string): Revocation => ({ user, revokedAt: 0, until: undefined, reason: '' });

/** The document is a list of users with commas between; one with a question mark is no document. */
function parse(text = ''): readonly Revocation[] {
  if (text.includes('?')) throw new Error('no document');
  return text === '' ? [] : text.split(',').map(revocationOf);
}

const NOT_REACHED = new Error('not reached');
/** A document that never comes. */
const HANGS = 'hangs';
const known = (...users: string[]) => ({ known: true, revocations: users.map(revocationOf) });
const unknown = (why: string) => ({ known: false, why });
/** Not known any more, but what was known still holds against whom it names. */
const stale = (why: string, ...users: string[]) => ({ ...known(...users), known: false, why });

function setUp(first: string | undefined | Error) {
  const clock = new FakeClock();
  const events: RevocationListEvent[] = [];
  const source = { holds: first, reads: 0 };
  const parsed: (string | undefined)[] = [];
  const list = new RevocationList({
    read: async ({ signal }) => {
      source.reads += 1;
      if (source.holds === HANGS) {
        await new Promise((_resolve, reject) => {
          // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- the reason is the caller's own
          signal.addEventListener('abort', () => reject(signal.reason));
        });
      }
      if (source.holds instanceof Error) throw source.holds;
      return source.holds;
    },
    parse: (text) => {
      parsed.push(text);
      return parse(text);
    },
    clock,
    onEvent: (event) => events.push(event),
  });
  return { clock, events, source, list, parsed };
}

describe('RevocationList', () => {
  it('is unknown until it was read', async () => {
    const { clock, list, source } = setUp(NOT_REACHED);
    expect(list.now()).toEqual(unknown('the revocations have not been read yet'));
    expect(() => list.assertKnown()).toThrow('not been read yet');
    await list.start();
    expect(list.now()).toEqual(unknown('not reached'));
    expect(() => list.assertKnown()).toThrow(NOT_REACHED);
    source.holds = 'alice';
    await clock.advance(POLL_INTERVAL_MS);
    expect(list.now()).toEqual(known('alice'));
    list.stop();
  });

  it('is unknown as long as there was only a malformed document', async () => {
    const { clock, list, source } = setUp('?');
    await list.start();
    expect(list.now()).toEqual(unknown('no document'));
    expect(() => list.assertKnown()).toThrow('no document');
    source.holds = '';
    await clock.advance(POLL_INTERVAL_MS);
    expect(list.now()).toEqual(known());
    expect(() => list.assertKnown()).not.toThrow();
    list.stop();
  });

  it('becomes unknown when it could not be read for too long', async () => {
    const { clock, list, source } = setUp('alice');
    await list.start();
    source.holds = NOT_REACHED;
    await clock.advance(MAX_AGE_MS);
    expect(list.now()).toEqual(known('alice'));
    await clock.advance(1);
    expect(list.now()).toEqual(stale('not reached', 'alice'));
    list.stop();
  });

  it('says the code and the first line of why nothing is known', async () => {
    const { list } = setUp(Object.assign(new Error('GET configmap: 403\nmore'), { code: 'forbidden' }));
    await list.start();
    expect(list.now()).toEqual(unknown('forbidden: GET configmap: 403'));
    list.stop();
  });

  it('parses the same text once, be it good or not', async () => {
    const { clock, list, source, parsed } = setUp('a?');
    await list.start();
    for (const next of ['a?', 'alice', 'alice', 'b?', 'b?', 'alice', 'alice']) {
      source.holds = next;
      await clock.advance(POLL_INTERVAL_MS);
    }
    expect(parsed).toEqual(['a?', 'alice', 'b?']);
    expect(list.now()).toEqual(known('alice'));
    list.stop();
  });

  it('counts the age from the start of a read, not from its end', async () => {
    const clock = new FakeClock();
    const list = new RevocationList({
      read: async () => {
        await clock.sleep(2_000);
        return 'alice';
      },
      parse,
      clock,
      onEvent: () => undefined,
      maxAgeMs: 3_000,
    });
    const started = list.start();
    await clock.advance(2_000);
    await started;
    list.stop();
    await clock.advance(1_000);
    expect(list.now()).toEqual(known('alice'));
    await clock.advance(1);
    expect(list.now()).toEqual(stale('the revocations were not read lately', 'alice'));
    expect(() => list.assertKnown()).toThrow('not read lately');
  });

  it('does not trust an age from before the clock was set back', async () => {
    let offset = 0;
    const clock = new FakeClock();
    const list = new RevocationList({
      read: () => Promise.resolve('alice'),
      parse,
      clock: {
        now: () => clock.now() + offset,
        uptime: () => clock.uptime(),
        sleep: (ms, signal) => clock.sleep(ms, signal),
      },
      onEvent: () => undefined,
    });
    await list.start();
    offset = -3_600_000;
    expect(list.now()).toEqual(stale('the revocations were not read lately', 'alice'));
    await clock.advance(POLL_INTERVAL_MS);
    expect(list.now()).toEqual(known('alice'));
    list.stop();
  });

  it('lets no list count for longer because the clock was set back a little', async () => {
    const { clock, list, source } = setUp('alice');
    await list.start();
    source.holds = NOT_REACHED;
    await clock.advance(MAX_AGE_MS);
    clock.set(clock.now() - MAX_AGE_MS / 2);
    expect(list.now()).toEqual(known('alice'));
    await clock.advance(1);
    expect(list.now()).toEqual(stale('not reached', 'alice'));
    list.stop();
  });

  it('keeps the last good list, the same array, while the document is malformed, however long that is', async () => {
    const { clock, list, source } = setUp('alice');
    await list.start();
    source.holds = 'alice,bob?';
    const { revocations } = list.now();
    await clock.advance(10 * MAX_AGE_MS);
    expect(list.now()).toEqual(known('alice'));
    expect(list.now().revocations).toBe(revocations);
    list.stop();
  });

  it('knows of a change within five seconds, also when the read before it hangs', async () => {
    const { clock, list, source } = setUp('');
    await list.start();
    source.holds = HANGS;
    await clock.advance(POLL_INTERVAL_MS);
    expect(source.reads).toBe(2);
    source.holds = 'alice';
    await clock.advance(READ_TIMEOUT_MS + POLL_INTERVAL_MS);
    expect(list.now()).toEqual(known('alice'));
    expect(READ_TIMEOUT_MS + POLL_INTERVAL_MS).toBeLessThan(5_000);
    list.stop();
  });

  it.each([[undefined], ['']])('knows that nobody is revoked when the document is %j', async (first) => {
    const { list, clock } = setUp(first);
    expect(list.currentAt).toBeUndefined();
    await list.start();
    expect(list.now()).toEqual(known());
    expect(list.currentAt).toBe(clock.now());
    list.stop();
  });

  it('does not call itself current for a document that it could not understand', async () => {
    const { clock, list, source } = setUp('alice');
    await list.start();
    const readAt = list.currentAt;
    source.holds = 'b?';
    await clock.advance(POLL_INTERVAL_MS);
    expect(list.now()).toEqual(known('alice'));
    expect(list.currentAt).toBe(readAt);
    list.stop();
  });

  it('forgets what was taken back', async () => {
    const { clock, list, source } = setUp('alice,bob');
    await list.start();
    source.holds = 'bob';
    await clock.advance(POLL_INTERVAL_MS);
    expect(list.now()).toEqual(known('bob'));
    list.stop();
  });

  it('says what each poll came to, and whether that or its cause is new', async () => {
    const { clock, events, list, source } = setUp('alice');
    await list.start();
    const other = Object.assign(new Error('not reached'), { code: 'forbidden' });
    for (const next of ['alice', NOT_REACHED, new Error('not reached'), other, '?', '?', '??', 'alice']) {
      source.holds = next;
      await clock.advance(POLL_INTERVAL_MS);
    }
    expect(events.map(({ type, changed }) => `${type}${changed ? '' : ' again'}`)).toEqual([
      'read',
      'read again',
      'not-read',
      'not-read again',
      'not-read',
      'malformed',
      'malformed again',
      'malformed',
      'read',
    ]);
    expect(events[0]).toEqual({ type: 'read', revocations: 1, changed: true });
    expect(events[2]).toMatchObject({ isFirst: false, error: NOT_REACHED });
    list.stop();
  });

  it.each(['?', NOT_REACHED])('says that there never was a good list: %s', async (first) => {
    const { events, list } = setUp(first);
    await list.start();
    expect(events).toMatchObject([{ isFirst: true }]);
    list.stop();
  });

  it('stops, also in the middle of a read, and leaves no timer', async () => {
    const { clock, events, list, source } = setUp('');
    await list.start();
    source.holds = HANGS;
    await clock.advance(POLL_INTERVAL_MS);
    list.stop();
    await clock.advance(10 * POLL_INTERVAL_MS);
    expect(source.reads).toBe(2);
    expect(events).toHaveLength(1);
    expect(clock.sleeping).toBe(0);
  });
});
