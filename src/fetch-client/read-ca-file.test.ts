import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CaFileError, readCaFile } from './read-ca-file.ts';

const CERTIFICATE = await readFile(new URL('../../test/fixtures/tls/localhost.crt', import.meta.url), 'utf8');
const BROKEN = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kerbridge-ca-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

it.each([
  ['empty', '', /holds no PEM certificate/],
  ['DER or words', 'certificate', /holds no PEM certificate/],
  ['cut off', CERTIFICATE.slice(0, 200), /holds no PEM certificate/],
  ['broken', BROKEN, /certificate 1 can't be read/],
  ['broken in its second part', CERTIFICATE + BROKEN, /certificate 2 can't be read/],
])('refuses a file that is %s', async (_name, content, message) => {
  const path = join(folder, 'ca.pem');
  await writeFile(path, content);
  const error = await readCaFile(path).catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(CaFileError);
  expect(String(error)).toMatch(message);
  expect(String(error)).toContain(`--ca-file ${path}`);
});

it('says why a file can not be read', async () => {
  await expect(readCaFile(join(folder, 'missing'))).rejects.toThrow(/cannot read --ca-file .*: ENOENT/);
});

it('takes several certificates and what people write around them', async () => {
  const path = join(folder, 'ca.pem');
  await writeFile(path, `# ours\n${CERTIFICATE}\n# theirs\n${CERTIFICATE}`);
  expect(await readCaFile(path)).toContain('# theirs');
});
