import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock, settle } from '../../test/fakes/fake-clock.ts';
import {
  facts,
  FakeMarker,
  FakeStatusFile,
  FakeTokenClient,
  FakeTokenFiles,
  notModified,
  notReached,
  received,
  refused,
} from '../../test/fakes/fetch-world.ts';
import { FetchSession } from './fetch-session.ts';
import type { CredentialsOutcome } from './token-client.ts';
import { statusOfEarlier, statusOfFirst, Watcher } from './watch.ts';

let clock: FakeClock;
let client: FakeTokenClient;
let files: FakeTokenFiles;
let statusFile: FakeStatusFile;
let marker: FakeMarker;
let said: string[];
let stop: AbortController;
let running: Promise<void> | undefined;
let ended: boolean;
let random: () => number;

beforeEach(() => {
  clock = new FakeClock();
  client = new FakeTokenClient();
  files = new FakeTokenFiles();
  statusFile = new FakeStatusFile();
  marker = new FakeMarker();
  said = [];
  stop = new AbortController();
  ended = false;
  random = () => 0.999_999;
});

afterEach(async () => {
  stop.abort();
  await running;
  expect(clock.sleeping).toBe(0);
});

function startWatcher(
  session: FetchSession,
  status = statusOfFirst({ tokensWritten: 1, facts: facts() }, clock.now(), random),
) {
  const watcher = new Watcher(
    {
      session,
      files,
      statusFile,
      marker,
      clock,
      random: () => random(),
      say: (line) => said.push(line),
      signal: stop.signal,
    },
    status,
  );
  running = (async () => {
    await watcher.run();
    ended = true;
  })();
}

const newSession = () => new FetchSession({ client, files, say: (line) => said.push(line) });

/** With the first file written, at time 0; refreshAfter is an hour. */
async function start(): Promise<void> {
  const session = newSession();
  await session.try(stop.signal);
  client.etags.length = 0;
  startWatcher(session);
  await settle();
}

/** When it asked, in seconds from now on, as far as `untilSeconds`. */
async function triesUntil(untilSeconds: number): Promise<number[]> {
  const tries: number[] = [];
  for (let second = 0; second < untilSeconds; second += 1) {
    const before = client.etags.length;
    await clock.advance(1000);
    if (client.etags.length > before) tries.push(second + 1);
  }
  return tries;
}

describe('the watcher', () => {
  it('asks again when the server said so, with the ETag', async () => {
    client.answers = [
      received('one'),
      notModified({ refreshAfterMs: 100_000 }),
      received('two', { etag: '"f"' }),
    ];
    await start();
    await clock.advance(3_599_000);
    expect(client.etags).toEqual([]);
    await clock.advance(1000);
    expect(client.etags).toEqual(['"e"']);
    expect(files.writes).toBe(1);
    await clock.advance(99_000);
    expect(files.writes).toBe(1);
    await clock.advance(1000);
    expect(files.content).toBe('two');
    expect(said).toEqual(['1 delegation token(s) written (request r-1); next try in 3600 s']);
  });

  it('asks up to a tenth earlier than the server said, so that pods do not come back together', async () => {
    random = () => 0;
    client.answers = [received('one'), notModified({ refreshAfterMs: 100_000 })];
    await start();
    expect(statusFile.last?.nextTryAt).toBe(clock.now() + 3_240_000);
    await clock.advance(3_240_000);
    expect(statusFile.last?.nextTryAt).toBe(clock.now() + 90_000);
  });

  it.each([0, 0.999_999])('asks no more often than once a second (random %d)', async (part) => {
    random = () => part;
    client.answers = [received('one'), notModified({ refreshAfterMs: 1000 })];
    await start();
    await clock.advance(3_600_000);
    client.etags.length = 0;
    await clock.advance(10_000);
    expect([9, 10]).toContain(client.etags.length);
  });

  it('says how it stands', async () => {
    client.answers = [
      received('one'),
      received('two', {
        etag: '"f"',
        validUntil: clock.now() + 9_000_000,
        sequenceNumbers: ['9'],
        requestId: 'r-2',
      }),
      notModified({ etag: '"f"', requestId: 'r-3' }),
    ];
    const startedAt = clock.now();
    await start();
    expect(statusFile.last).toEqual({
      state: 'ok',
      writtenAt: startedAt,
      nextTryAt: startedAt + 3_600_000,
      validUntil: undefined,
      requestId: 'r-1',
      etag: '"e"',
      sequenceNumbers: ['7'],
      reason: '',
    });
    await clock.advance(3_600_000);
    const second = {
      state: 'ok',
      writtenAt: startedAt + 3_600_000,
      nextTryAt: startedAt + 7_200_000,
      validUntil: startedAt + 9_000_000,
      requestId: 'r-2',
      etag: '"f"',
      sequenceNumbers: ['9'],
      reason: '',
    };
    expect(statusFile.last).toEqual(second);
    await clock.advance(3_600_000);
    // What a 304 doesn't say is as it was.
    expect(statusFile.last).toEqual({
      ...second,
      nextTryAt: startedAt + 10_800_000,
      requestId: 'r-3',
      sequenceNumbers: ['7'],
    });
  });

  it('shows every 5 s that it lives, also while a try takes its time', async () => {
    let answer = (_outcome: CredentialsOutcome): void => undefined;
    client.answers = [received('one'), new Promise<CredentialsOutcome>((resolve) => (answer = resolve))];
    await start();
    await clock.advance(60_000);
    const renewals = statusFile.renewals;
    expect(renewals).toBeGreaterThanOrEqual(12);
    await clock.advance(3_540_000);
    const before = statusFile.renewals;
    await clock.advance(60_000);
    expect(statusFile.renewals - before).toBe(12);
    answer(notModified());
    await settle();
    expect(statusFile.last).toMatchObject({ state: 'ok', nextTryAt: clock.now() + 3_600_000 });
  });

  it('writes a status that somebody removed', async () => {
    await start();
    statusFile.isThere = false;
    await clock.advance(5000);
    expect(statusFile.isThere).toBe(true);
  });

  it('goes on when its status can not be written, and says so once', async () => {
    statusFile.isFull = true;
    await start();
    await clock.advance(60_000);
    expect(said).toEqual(
      ['cannot write /out: ENOSPC: the volume is full'].map((line) => line.replace('/out', '/out.status')),
    );
    statusFile.isFull = false;
    await clock.advance(5000);
    expect(statusFile.last?.state).toBe('ok');
  });

  it.each<[string, CredentialsOutcome, number[], string]>([
    ['no answer', notReached(), [1, 3, 7, 15, 31, 63, 123, 183, 243, 303, 363], 'waiting'],
    ['a refusal', refused(), [1, 3, 7, 15, 31, 63, 127, 255, 511, 811, 1111], 'refused'],
    [
      'a token file that is gone',
      { outcome: 'unusable', reason: 'gone' },
      [1, 3, 7, 15, 31, 63, 123],
      'waiting',
    ],
  ])('keeps the file through %s, and asks again', async (_name, answer, expected, state) => {
    client.answers = [received('one'), answer];
    await start();
    await clock.advance(3_600_000);
    expect(statusFile.last).toMatchObject({ state, reason: expect.stringMatching(/./) });
    expect(await triesUntil(expected.at(-1) ?? 0)).toEqual(expected);
    expect(files.content).toBe('one');
    expect(said[0]).toMatch(/; next try in 1\.0 s$/);
    client.answers = [received('two')];
    await clock.advance(300_000);
    expect(files.content).toBe('two');
    expect(statusFile.last).toMatchObject({ state: 'ok', reason: '' });
  });

  it('begins anew with its waits after a success', async () => {
    client.answers = [
      received('one'),
      notReached(),
      notReached(),
      notModified({ refreshAfterMs: 10_000 }),
      notReached(),
    ];
    await start();
    await clock.advance(3_600_000);
    expect(await triesUntil(15)).toEqual([1, 3, 13, 14]);
  });

  it('waits for what the server names, refused or not', async () => {
    client.answers = [received('one'), notReached('busy', 100_000), refused(403, 200_000), notModified()];
    await start();
    await clock.advance(3_600_000);
    expect(await triesUntil(310)).toEqual([100, 300]);
  });

  it('takes another service-account token at once', async () => {
    client.answers = [received('one'), { ...refused(401), tokenReplaced: true }, notModified()];
    await start();
    await clock.advance(3_600_000);
    expect(client.etags).toHaveLength(2);
    expect(said).toEqual([
      'refused: 401 no: No (request r-9); next try at once, with another service-account token',
    ]);
  });

  it('tries again when the file can not be written', async () => {
    client.answers = [received('one'), received('two')];
    await start();
    files.isFull = true;
    await clock.advance(3_600_000);
    expect(statusFile.last).toMatchObject({ state: 'waiting', reason: expect.stringMatching(/ENOSPC/) });
    files.isFull = false;
    await clock.advance(1000);
    expect(files.content).toBe('two');
  });

  it.each([undefined, 'changed'])('writes the file again when it is %s, within 5 s', async (content) => {
    await start();
    await clock.advance(7000);
    files.content = content;
    await clock.advance(5000);
    expect(client.etags).toEqual(['']);
    expect(files.content).toBe('one');
  });

  it('asks at most every 30 s while somebody goes on changing the file', async () => {
    await start();
    let asked = 0;
    for (let second = 0; second < 120; second += 1) {
      files.content = 'changed';
      await clock.advance(1000);
      asked = client.etags.length;
    }
    expect(asked).toBe(4);
  });

  it('asks no more often for a file that is changed while the server is away', async () => {
    client.answers = [received('one'), notReached()];
    await start();
    await clock.advance(3_600_000);
    files.content = 'changed';
    expect(await triesUntil(130)).toEqual([1, 3, 7, 15, 31, 63, 123]);
  });

  it('is not led astray by a clock that is set back', async () => {
    await start();
    const { now } = clock;
    clock.now = () => now.call(clock) - 86_400_000;
    await clock.advance(3_606_000);
    expect(client.etags).toHaveLength(1);
  });
});

describe('a marker of an application', () => {
  it('is taken within 5 s: reported, and asked for anew', async () => {
    client.answers = [received('one'), received('two', { sequenceNumbers: ['9'] })];
    await start();
    await clock.advance(7000);
    marker.isThere = true;
    await clock.advance(5000);
    expect(marker.isThere).toBe(false);
    expect(client.reports).toEqual(['7']);
    expect(client.etags).toEqual(['']);
    expect(statusFile.last).toMatchObject({ sequenceNumbers: ['9'] });
    marker.isThere = true;
    await clock.advance(24_000);
    expect(client.reports).toEqual(['7']);
    await clock.advance(7000);
    expect(client.reports).toEqual(['7', '9']);
  });

  it('counts also while a try fails again and again, but never before Retry-After', async () => {
    client.answers = [received('one'), notReached('busy', 100_000)];
    await start();
    await clock.advance(3_600_000);
    marker.isThere = true;
    await clock.advance(99_000);
    expect(client.reports).toEqual([]);
    await clock.advance(1000);
    expect(client.reports).toEqual(['7']);
  });

  it('cuts a wait short that is only the backoff', async () => {
    client.answers = [received('one'), refused()];
    await start();
    await clock.advance(3_600_000 + 300_000);
    client.etags.length = 0;
    marker.isThere = true;
    await clock.advance(5000);
    expect(client.reports).toEqual(['7']);
    expect(client.etags).toEqual(['']);
  });

  it('is not lost while a try takes its time', async () => {
    let answer = (_outcome: CredentialsOutcome): void => undefined;
    client.answers = [
      received('one'),
      new Promise<CredentialsOutcome>((resolve) => (answer = resolve)),
      received('two', { sequenceNumbers: ['9'] }),
    ];
    await start();
    await clock.advance(3_600_000);
    marker.isThere = true;
    await clock.advance(5000);
    expect(marker.isThere).toBe(false);
    answer(notModified());
    await settle();
    await settle();
    expect(client.reports).toEqual(['7']);
    expect(client.etags).toEqual(['"e"', '']);
    expect(files.content).toBe('two');
  });

  it('is reported until that works, though the file is there', async () => {
    client.reportAnswers = [notReached('busy'), notReached('busy'), { outcome: 'reported' }];
    await start();
    marker.isThere = true;
    await clock.advance(5000);
    expect(statusFile.last).toMatchObject({ state: 'waiting' });
    await clock.advance(10_000);
    expect(client.reports).toEqual(['7', '7', '7']);
    expect(statusFile.last).toMatchObject({ state: 'ok', nextTryAt: expect.any(Number) });
    await clock.advance(60_000);
    expect(client.reports).toHaveLength(3);
  });
});

describe('a report that fails for ever', () => {
  it('is tried after waits that grow, though each try gets the file, and from the first wait after a success', async () => {
    client.reportAnswers = [notReached('busy')];
    await start();
    marker.isThere = true;
    await clock.advance(5000);
    expect(await triesUntil(123)).toEqual([1, 3, 7, 15, 31, 63, 123]);
    client.reportAnswers = [{ outcome: 'reported' }];
    await clock.advance(60_000);
    expect(statusFile.last).toMatchObject({ state: 'ok' });
    client.answers = [notReached()];
    await clock.advance(3_600_000);
    client.answers = [notModified()];
    client.etags.length = 0;
    expect(await triesUntil(3)).toHaveLength(1);
  });
});

describe('a watcher that is started again', () => {
  const earlier = () => ({
    ...statusOfFirst({ tokensWritten: 1, facts: facts() }, clock.now() - 1000, random),
    validUntil: clock.now() + 1_000_000,
  });

  it('asks at once, and whole', async () => {
    startWatcher(newSession(), statusOfEarlier(earlier(), clock.now()));
    await settle();
    expect(client.etags).toEqual(['']);
    expect(files.content).toBe('one');
    expect(statusFile.last).toMatchObject({ state: 'ok', validUntil: undefined });
  });

  it('keeps what it knows of the file while the server is away', async () => {
    client.answers = [notReached()];
    const status = earlier();
    startWatcher(newSession(), statusOfEarlier(status, clock.now()));
    await clock.advance(600_000);
    const { validUntil, writtenAt, sequenceNumbers } = status;
    expect(statusFile.last).toMatchObject({
      state: 'waiting',
      validUntil,
      writtenAt,
      sequenceNumbers,
      etag: '',
    });
    expect(files.writes).toBe(0);
  });
});

describe('the end of a watcher', () => {
  it('comes at once between two tries', async () => {
    await start();
    await clock.advance(7000);
    expect(ended).toBe(false);
    stop.abort();
    await settle();
    expect(ended).toBe(true);
  });

  it('waits for what is under way', async () => {
    let answer = (_outcome: CredentialsOutcome): void => undefined;
    client.answers = [received('one'), new Promise<CredentialsOutcome>((resolve) => (answer = resolve))];
    await start();
    await clock.advance(3_600_000);
    stop.abort();
    await settle();
    expect(ended).toBe(false);
    answer(received('two'));
    await settle();
    expect(ended).toBe(true);
    expect(files.content).toBe('two');
    expect(statusFile.last).toMatchObject({ state: 'ok' });
  });

  it('is no failure: the status stays as it was', async () => {
    let answer = (_outcome: CredentialsOutcome): void => undefined;
    client.answers = [received('one'), new Promise<CredentialsOutcome>((resolve) => (answer = resolve))];
    await start();
    await clock.advance(3_600_000);
    stop.abort();
    answer(notReached('stopped'));
    await running;
    expect(statusFile.last).toMatchObject({ state: 'ok' });
    expect(said).toEqual([]);
  });
});
