import { beforeEach, describe, expect, it } from '@jest/globals';
import {
  facts,
  FakeTokenClient,
  FakeTokenFiles,
  notModified,
  notReached,
  received,
  refused,
} from '../../test/fakes/fetch-world.ts';
import { FetchSession } from './fetch-session.ts';

let client: FakeTokenClient;
let files: FakeTokenFiles;
let said: string[];
let session: FetchSession;
const { signal } = new AbortController();

beforeEach(() => {
  client = new FakeTokenClient();
  files = new FakeTokenFiles();
  said = [];
  session = new FetchSession({ client, files, say: (line) => said.push(line) });
});

describe('a try', () => {
  it.each([
    [
      'a refusal',
      refused(),
      { exitCode: 3, reason: 'refused: 403 no: No', requestId: 'r-9', tryAtOnce: false },
    ],
    [
      'a 401 with the same token',
      { ...refused(401), tokenReplaced: false },
      { exitCode: 3, tryAtOnce: false },
    ],
    [
      'a 401 with another token by now',
      { ...refused(401), tokenReplaced: true },
      { exitCode: 3, tryAtOnce: true },
    ],
    ['no answer', notReached('away', 7000), { exitCode: 4, reason: 'away', retryAfterMs: 7000 }],
    [
      'no token file',
      { outcome: 'unusable', reason: 'no file' } as const,
      { exitCode: 2, reason: 'no file' },
    ],
  ])('with %s writes nothing', async (_name, answer, failure) => {
    client.answers = [answer];
    expect(await session.try(signal)).toMatchObject({ failure });
    expect(files.writes).toBe(0);
  });

  it('that can not write says so, and the next one asks for it whole', async () => {
    await session.try(signal);
    files.isFull = true;
    client.answers = [received('two'), received('two')];
    expect(await session.try(signal)).toEqual({
      failure: {
        exitCode: 5,
        reason: 'cannot write /out: ENOSPC: the volume is full',
        requestId: 'r-1',
        retryAfterMs: 0,
        tryAtOnce: false,
      },
    });
    files.isFull = false;
    await session.try(signal);
    // With the ETag of the file that is there: it is the old one.
    expect(client.etags).toEqual(['', '"e"', '"e"']);
    expect(files.content).toBe('two');
  });

  it('that fails by a fault of ours says no more than the name of the error', async () => {
    client.answers = [new RangeError('with a secret')];
    expect(await session.try(signal)).toMatchObject({
      failure: { exitCode: 4, reason: 'unexpected: RangeError' },
    });
  });

  it('writes what it receives', async () => {
    expect(await session.try(signal)).toEqual({ held: { tokensWritten: 1, facts: facts() } });
    expect(files.content).toBe('one');
  });

  it('asks with the ETag as long as the file is the one that it wrote', async () => {
    client.answers = [received('one'), notModified({ etag: '"f"' }), notModified(), received('one')];
    await session.try(signal);
    expect(await session.try(signal)).toMatchObject({ held: { tokensWritten: 0 } });
    files.content = 'changed';
    await session.try(signal);
    files.content = undefined;
    await session.try(signal);
    expect(client.etags).toEqual(['', '"e"', '', '']);
    expect(files.content).toBe('one');
    expect(files.writes).toBe(2);
  });

  it('does not write the same once more', async () => {
    await session.try(signal);
    expect(await session.try(signal)).toEqual({ held: { tokensWritten: 0, facts: facts() } });
    expect(files.writes).toBe(1);
  });
});

describe('tokens that Hadoop refused', () => {
  beforeEach(async () => {
    await session.try(signal);
    client.etags.length = 0;
    session.reject(['7', '8']);
  });

  it('are reported, each once, and credentials are asked for without the ETag', async () => {
    client.answers = [received('two', { sequenceNumbers: ['9'] })];
    expect(await session.try(signal)).toMatchObject({ held: { tokensWritten: 1 } });
    expect(client.reports).toEqual(['7', '8']);
    await session.try(signal);
    expect(client.reports).toEqual(['7', '8']);
    expect(client.etags).toEqual(['', '"e"']);
  });

  it('are asked for anew until that works, and reported once', async () => {
    client.answers = [notReached(), received('two')];
    expect(await session.try(signal)).toMatchObject({ failure: { exitCode: 4, reason: 'away' } });
    await session.try(signal);
    expect(client.etags).toEqual(['', '']);
    expect(client.reports).toEqual(['7', '8']);
  });

  it('are asked for all the same from a server that takes no reports', async () => {
    client.reportAnswers = [{ outcome: 'unknown' }];
    expect(await session.try(signal)).not.toHaveProperty('failure');
    await session.try(signal);
    expect(client.reports).toEqual(['7']);
  });

  it('are reported again if the report did not come through, and asked for all the same', async () => {
    client.answers = [received('one', { sequenceNumbers: ['7', '8'] })];
    client.reportAnswers = [{ outcome: 'reported' }, notReached('busy', 5000), { outcome: 'reported' }];
    expect(await session.try(signal)).toMatchObject({
      held: { tokensWritten: 0 },
      failure: {
        exitCode: 4,
        reason: 'token 8 could not be reported as refused by Hadoop: busy',
        retryAfterMs: 5000,
      },
    });
    expect(await session.try(signal)).not.toHaveProperty('failure');
    expect(client.reports).toEqual(['7', '8', '8']);
  });

  it('need no report any more once others are there', async () => {
    client.reportAnswers = [notReached()];
    client.answers = [received('two', { sequenceNumbers: ['9'] })];
    expect(await session.try(signal)).not.toHaveProperty('failure');
    await session.try(signal);
    expect(client.reports).toEqual(['7']);
  });

  it('are asked for all the same when the report is refused, which is said', async () => {
    client.reportAnswers = [refused(400)];
    expect(await session.try(signal)).not.toHaveProperty('failure');
    expect(client.reports).toEqual(['7', '8']);
    expect(said).toEqual([
      'the report of token 7 was refused: 400 no: No (request r-9)',
      'the report of token 8 was refused: 400 no: No (request r-9)',
    ]);
  });

  it('are reported again after a 401: the service-account token may be replaced by then', async () => {
    client.reportAnswers = [refused(401), { outcome: 'reported' }];
    client.answers = [{ ...refused(401), tokenReplaced: true }, received('two')];
    expect(await session.try(signal)).toMatchObject({ failure: { exitCode: 3, tryAtOnce: true } });
    expect(await session.try(signal)).not.toHaveProperty('failure');
    expect(client.reports).toEqual(['7', '7', '8']);
  });
});
