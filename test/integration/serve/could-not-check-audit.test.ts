import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hdfsControl } from '../../stack/stack.ts';
import { waitFor } from '../serve-process.ts';
import type { ServeProcess } from '../serve-process.ts';
import { expectUnavailable } from './expect-could-not-check.ts';
import { askCredentials, ServeWorld } from './serve-world.ts';

describe('a decision that cannot be recorded', () => {
  let world: ServeWorld;

  beforeAll(async () => {
    world = await ServeWorld.create();
    await hdfsControl(world.stack.hdfs).reset();
  });

  afterAll(async () => {
    await world[Symbol.asyncDispose]();
  });

  const callers: readonly [string, () => Promise<string | undefined>][] = [
    ['would be allowed', async () => (await world.pod({ user: 'alice' })).serviceAccountToken],
    ['is nobody', () => Promise.resolve(undefined)],
    ['shows garbage', () => Promise.resolve('aaa.bbb.ccc')],
    ['has no stamp', async () => (await world.pod({})).serviceAccountToken],
    ['would be a forbidden user', async () => (await world.pod({ user: 'hdfs' })).serviceAccountToken],
  ];

  describe('because the disk is full', () => {
    let serve: ServeProcess;

    beforeAll(async () => {
      const file = join(world.folder, 'fills-up.jsonl');
      const disk = join(world.folder, 'disk.jsonl');
      await writeFile(disk, '');
      await symlink(disk, file);
      serve = await world.serve({ audit: { file } });
      await symlink('/dev/full', `${file}.next`);
      await rename(`${file}.next`, file);
      // Once a second it is looked whether the file is still the one that its path names.
      await waitFor(async () => (await askCredentials(serve, undefined)).status === 503);
    });

    it.each(callers)('503 to a caller who %s', async (_, token) => {
      for (const accept of ['application/json', 'application/octet-stream']) {
        const answer = await askCredentials(serve, await token(), { accept });
        expectUnavailable(answer, 'audit-unavailable');
        const line = await serve.logLineOf(answer.json['requestId']);
        expect(line).toMatchObject({ level: 'warn', outcome: 'audit-unavailable' });
        expect(JSON.stringify(line)).toContain('ENOSPC');
      }
    });
  });

  it('ends the process at its start if the disk is full', async () => {
    const started: unknown = await world
      .serve({ audit: { file: '/dev/full' } })
      .catch((error: unknown) => error);
    expect(String(started)).toContain('"message":"Cannot write the audit"');
    expect(String(started)).toContain('ENOSPC');
  });

  it('503 while the folder of the audit file is gone, 200 once it is back', async () => {
    const folder = join(world.folder, 'audit');
    const file = join(folder, 'audit.jsonl');
    await mkdir(folder);
    const serve = await world.serve({ audit: { file } });
    const { serviceAccountToken } = await world.pod({ user: 'alice' });
    const ask = () => askCredentials(serve, serviceAccountToken);
    expect((await ask()).status).toBe(200);
    await rm(folder, { recursive: true });
    // Once a second it is looked whether the file is still the one that its path names.
    await waitFor(async () => (await ask()).status !== 200);
    expectUnavailable(await ask(), 'audit-unavailable');
    await mkdir(folder);
    const answer = await ask();
    expect(answer.status).toBe(200);
    expect(await readFile(file, 'utf8')).toContain(String(answer.headers.get('x-request-id')));
    await serve.stop();
  });

  it('ends the process at its start if the audit file cannot be opened', async () => {
    const file = join(world.folder, 'no-such-folder', 'audit.jsonl');
    const started: unknown = await world.serve({ audit: { file } }).catch((error: unknown) => error);
    expect(started).toMatchObject({
      message: expect.stringMatching(/"message":"Cannot write the audit"/) as unknown,
      cause: { message: expect.stringContaining('serve ended with 1:') as unknown },
    });
    expect(String(started)).toContain('audit.file');
    expect(String(started)).toContain('ENOENT');
  });
});
