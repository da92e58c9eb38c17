import { execFileSync } from 'node:child_process';
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import { FakeClock } from '../../../test/fakes/fake-clock.ts';
import { openLog } from './open-log.ts';

it('says itself, at every level, when lines of the log were dropped', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'open-log-'));
  const path = join(directory, 'log');
  execFileSync('mkfifo', [path]);
  const openReader = () => openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const nobody = openReader();
  const descriptor = openSync(path, constants.O_WRONLY);
  const { logger } = openLog({ descriptor, level: 'error', clock: new FakeClock() });
  closeSync(nobody);
  logger.error('Lost');
  logger.warn('Not written at this level');
  logger.error('Lost too');
  const reader = openReader();
  logger.error('Read');
  const buffer = Buffer.alloc(10_000);
  const lines = buffer.toString('utf8', 0, readSync(reader, buffer)).trim().split('\n');
  for (const each of [descriptor, reader]) closeSync(each);
  await rm(directory, { recursive: true });
  expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
    expect.objectContaining({ message: 'Read' }),
    expect.objectContaining({ level: 'error', message: 'Log lines dropped', lines: 2 }),
  ]);
});
