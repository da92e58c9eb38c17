import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  chmod,
  mkdir,
  mkdtemp,
  readFile,
  rm,
  stat,
  symlink,
  unlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { credentialsFile, hdfsCredentialsFile } from '../../test/fakes/credentials-file.ts';
import { FakeClock } from '../../test/fakes/fake-clock.ts';
import { whyNotHealthy } from './check-health.ts';
import { describeCredentials } from './describe-credentials.ts';
import { findEarlier } from './find-earlier.ts';
import { RejectedMarkerOnDisk } from './rejected-marker.ts';
import { readStatus, StatusFileOnDisk } from './status-file.ts';
import { TokenFilesOnDisk } from './token-files.ts';
import type { WatchStatus } from './watch-status.ts';

let folder: string;
let output: string;
let clock: FakeClock;
let said: string[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kerbridge-watch-'));
  output = join(folder, 'hadoop.token');
  clock = new FakeClock();
  said = [];
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

const status = (more: Partial<WatchStatus> = {}): WatchStatus => ({
  state: 'ok',
  writtenAt: clock.now(),
  nextTryAt: clock.now() + 3_600_000,
  validUntil: clock.now() + 86_400_000,
  requestId: 'r-1',
  etag: '"e"',
  sequenceNumbers: ['7'],
  reason: '',
  ...more,
});

const writeStatus = async (more: Partial<WatchStatus> = {}) => {
  const file = new StatusFileOnDisk(output, { mode: 0o640 }, clock);
  await file.write(status(more));
  await file.renew();
  return file;
};

describe('the status file', () => {
  it('has the mode of the others, and can be read again', async () => {
    await writeStatus();
    expect((await stat(`${output}.status`)).mode & 0o777).toBe(0o640);
    expect(await readStatus(output)).toEqual({ status: status(), aliveAt: clock.now() });
  });

  it('shows life by its time of change alone', async () => {
    const file = await writeStatus();
    await clock.advance(5000);
    await file.renew();
    expect(await readStatus(output)).toEqual({
      status: status({
        writtenAt: clock.now() - 5000,
        nextTryAt: clock.now() + 3_595_000,
        validUntil: clock.now() + 86_395_000,
      }),
      aliveAt: clock.now(),
    });
  });

  it('shows no life where somebody removed it', async () => {
    const file = await writeStatus();
    await unlink(`${output}.status`);
    await expect(file.renew()).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('touches nothing that a symlink in its place names', async () => {
    const file = await writeStatus();
    const precious = join(folder, 'precious');
    await writeFile(precious, '');
    await utimes(precious, 1, 1);
    await unlink(`${output}.status`);
    await symlink(precious, `${output}.status`);
    await expect(file.renew()).rejects.toThrow(/is no file$/);
    expect((await stat(precious)).mtimeMs).toBe(1000);
  });
});

describe('--healthy', () => {
  it.each<[string, () => Promise<unknown>, RegExp]>([
    ['there is no file', () => unlink(output), /hadoop\.token is not there/],
    [
      'a folder is there',
      async () => {
        await unlink(output);
        await mkdir(output);
      },
      /hadoop\.token is not there/,
    ],
    ['there is no status', () => unlink(`${output}.status`), /is a fetch --watch running\?/],
    ['the status is none', () => writeFile(`${output}.status`, 'hello'), /or no status/],
    ['it lives no more', () => clock.advance(60_000), /no sign of life of the watcher for 60 s/],
    ['the tokens are past', () => writeStatus({ validUntil: clock.now() }), /past their maxDate for 0 s$/],
    [
      'the tokens are past, and why',
      () => writeStatus({ validUntil: clock.now() - 5000, state: 'waiting', reason: 'away' }),
      /for 5 s; the last try: away$/,
    ],
  ])('is no when %s', async (_name, change, reason) => {
    await writeFile(output, 'x');
    await writeStatus();
    expect(await whyNotHealthy(output, clock)).toBeUndefined();
    await change();
    expect(await whyNotHealthy(output, clock)).toMatch(reason);
  });

  it.each<[string, Partial<WatchStatus>]>([
    ['nobody knows how long the tokens are valid', { validUntil: undefined }],
    ['the server is away', { state: 'waiting', reason: 'away' }],
    ['it is refused', { state: 'refused', reason: 'no' }],
  ])('is yes when %s', async (_name, change) => {
    await writeFile(output, 'x');
    await writeStatus(change);
    await clock.advance(59_000);
    expect(await whyNotHealthy(output, clock)).toBeUndefined();
  });

  it('is no after the clock was set back, until the next sign of life', async () => {
    await writeFile(output, 'x');
    await writeStatus();
    const setBack = new FakeClock(clock.now() - 60_000);
    expect(await whyNotHealthy(output, setBack)).toMatch(/sign of life of the watcher is 60 s ahead/);
    await new StatusFileOnDisk(output, { mode: 0o640 }, setBack).renew();
    expect(await whyNotHealthy(output, setBack)).toBeUndefined();
  });

  it('is yes when the clock is a little behind', async () => {
    await writeFile(output, 'x');
    await writeStatus();
    expect(await whyNotHealthy(output, new FakeClock(clock.now() - 59_000))).toBeUndefined();
  });
});

describe('the marker', () => {
  const marker = () => new RejectedMarkerOnDisk(output, (line) => said.push(line));

  it('counts once and is removed', async () => {
    const taking = marker();
    expect(await taking.take()).toBe(false);
    await writeFile(`${output}.rejected`, '');
    expect([await taking.take(), await taking.take()]).toEqual([true, false]);
    await writeFile(`${output}.rejected`, '');
    expect(await taking.take()).toBe(true);
    expect(said).toEqual([]);
  });

  it('is the symlink itself, not what it names', async () => {
    const precious = join(folder, 'precious');
    await writeFile(precious, '');
    await symlink(precious, `${output}.rejected`);
    expect(await marker().take()).toBe(true);
    expect(await readFile(precious, 'utf8')).toBe('');
  });

  it('that can not be removed counts once, until there is another one', async () => {
    const taking = marker();
    await mkdir(`${output}.rejected`);
    expect([await taking.take(), await taking.take(), await taking.take()]).toEqual([true, false, false]);
    expect(said).toEqual([
      expect.stringMatching(/^cannot remove .*\.rejected: E[A-Z]+; it counts once, remove it$/),
    ]);
    await rm(`${output}.rejected`, { recursive: true });
    expect(await taking.take()).toBe(false);
    await writeFile(`${output}.rejected`, '');
    expect(await taking.take()).toBe(true);
  });
});

describe('the file of an earlier watcher', () => {
  const WHOLE = hdfsCredentialsFile([{ maxDate: 9_223_372_036_854_775_807n, sequenceNumber: 7 }]);

  it.each<[string, () => Promise<unknown>]>([
    ['is gone', () => unlink(output)],
    ['is no credentials file', () => writeFile(output, 'old')],
    ['is half a file', () => writeFile(output, WHOLE.subarray(0, 20))],
    ['has no token', () => writeFile(output, Buffer.from('48445453000000', 'hex'))],
    ['has no status: no watcher wrote it', () => unlink(`${output}.status`)],
    ['is past its end, as the status says', () => writeStatus({ validUntil: clock.now() })],
    [
      'is past its end, as it says itself',
      () => writeFile(output, hdfsCredentialsFile([{ maxDate: BigInt(clock.now()), sequenceNumber: 7 }])),
    ],
  ])('is no start when it %s', async (_name, change) => {
    await writeFile(output, WHOLE);
    await writeStatus();
    expect(await findEarlier(output, clock)).toEqual(status());
    await change();
    expect(await findEarlier(output, clock)).toBeUndefined();
  });

  it('is one too when nobody knows its end', async () => {
    await writeFile(output, credentialsFile());
    await writeStatus({ validUntil: undefined });
    expect(await findEarlier(output, clock)).toMatchObject({ validUntil: undefined });
  });

  it('says its numbers where the status has none', async () => {
    await writeFile(output, WHOLE);
    await writeStatus({ sequenceNumbers: [] });
    expect(await findEarlier(output, clock)).toMatchObject({ sequenceNumbers: ['7'] });
  });
});

describe('what a credentials file says of itself', () => {
  it.each([
    ['a token of a kind that nobody can read', credentialsFile(), { tokenCount: 1, sequenceNumbers: [] }],
    [
      'several tokens',
      hdfsCredentialsFile([
        { maxDate: 9000n, sequenceNumber: 7 },
        { maxDate: 5000n, sequenceNumber: -8 },
        { maxDate: 9_223_372_036_854_775_807n, sequenceNumber: 7 },
      ]),
      { tokenCount: 3, sequenceNumbers: ['7', '-8'], validUntil: 5000 },
    ],
    [
      'one that lives for ever',
      hdfsCredentialsFile([{ maxDate: 9_223_372_036_854_775_807n, sequenceNumber: 7 }]),
      { tokenCount: 1, sequenceNumbers: ['7'] },
    ],
  ])('with %s', (_name, bytes, described) => {
    expect(describeCredentials(bytes)).toEqual(described);
  });
});

describe('the token files', () => {
  it('are ours as long as each is', async () => {
    const copy = join(folder, 'copy');
    const files = new TokenFilesOnDisk({ paths: [copy, output], mode: 0o600 });
    expect(await files.areOurs()).toBe(false);
    await files.write(Buffer.from('one'));
    expect(await files.areOurs()).toBe(true);
    expect([files.holds(Buffer.from('one')), files.holds(Buffer.from('two'))]).toEqual([true, false]);
    await chmod(output, 0o644);
    expect(await files.areOurs()).toBe(true);
    await unlink(copy);
    expect(await files.areOurs()).toBe(false);
    await files.write(Buffer.from('two'));
    expect(await files.areOurs()).toBe(true);
  });
});
