import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { FakeClock } from '../../../test/fakes/fake-clock.ts';
import { checkTlsFiles } from './check-tls-files.ts';

const CERTIFICATE = join(import.meta.dirname, '../../../test/fixtures/tls/localhost.crt');

describe('checkTlsFiles', () => {
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kerbridge-tls-files-'));
    execFileSync('mkfifo', [join(folder, 'fifo')]);
  });

  afterAll(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  it.each([
    ['fifo', 'not a regular file'],
    ['missing', 'ENOENT'],
  ])('says why a key (%s) cannot be read, and does not wait for it', async (name, why) => {
    const keyFile = join(folder, name);
    const findings = await checkTlsFiles({
      certFile: CERTIFICATE,
      keyFile,
      parsePair: () => undefined,
      trusted: undefined,
      host: undefined,
      clock: new FakeClock(),
    });
    expect(findings).toMatchObject([
      { id: 'tls-files', outcome: 'failed', detail: `cannot read ${keyFile}: ${why}` },
    ]);
  });
});
