import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readServiceAccountToken, ServiceAccountTokenFileError } from './read-service-account-token.ts';

describe('readServiceAccountToken', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kerbridge-sa-'));
  });
  afterEach(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  it('reads the token anew each time and keeps it wrapped', async () => {
    const path = join(folder, 'token');
    await writeFile(path, 'aaa.bbb.ccc\n');
    const first = await readServiceAccountToken(path);
    expect(first.reveal()).toBe('aaa.bbb.ccc');
    expect(String(first)).toBe('[redacted]');
    await writeFile(path, 'ddd.eee.fff');
    expect((await readServiceAccountToken(path)).reveal()).toBe('ddd.eee.fff');
  });

  it.each([
    ['empty', ''],
    ['not a JWT', 'password'],
    ['two parts', 'aaa.bbb'],
    ['a header injection', 'aaa.bbb.ccc\r\nX-Evil: 1'],
  ])('refuses a file that is %s without showing its content', async (_name, content) => {
    const path = join(folder, 'token');
    await writeFile(path, content);
    const error = await readServiceAccountToken(path).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(ServiceAccountTokenFileError);
    expect(String(error)).toContain(path);
    if (content !== '') expect(String(error)).not.toContain(content);
  });

  it('names the volume to mount when the file is missing', async () => {
    await expect(readServiceAccountToken(join(folder, 'missing'))).rejects.toThrow(
      /ENOENT; mount a projected serviceAccountToken volume/,
    );
  });
});
