import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import { readOwnNamespace } from './own-namespace.ts';

it.each([
  [undefined, undefined],
  ['', undefined],
  ['kerbridge', 'kerbridge'],
  ['kerbridge\n', 'kerbridge'],
])('a mounted %j is %j', async (mounted, expected) => {
  const mountRoot = await mkdtemp(join(tmpdir(), 'kerbridge-namespace-'));
  const folder = join(mountRoot, 'var/run/secrets/kubernetes.io/serviceaccount');
  await mkdir(folder, { recursive: true });
  if (mounted !== undefined) await writeFile(join(folder, 'namespace'), mounted);
  expect(readOwnNamespace({ mountRoot })).toBe(expected);
  await rm(mountRoot, { recursive: true });
});
