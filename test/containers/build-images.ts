import { join } from 'node:path';
import { withLock } from '../stack/lock.ts';
import { withElapsedTime } from '../stack/progress.ts';
import type { Progress } from '../stack/progress.ts';
import { ensureBaseImages } from './base-images.ts';
import type { Engine } from './engine.ts';
import { withOutside } from './outside.ts';

export const root = join(import.meta.dirname, '../..');

export const IMAGE = 'localhost/kerbridge';
export const FETCH_IMAGE = 'localhost/kerbridge-fetch';

/** By the names of docker-compose.yml. */
const images = [
  { name: IMAGE, dockerfile: 'Dockerfile', context: '.' },
  { name: FETCH_IMAGE, dockerfile: 'deploy/Dockerfile.fetch', context: '.' },
  {
    name: 'localhost/kerbridge-demo-realm',
    dockerfile: 'deploy/compose/realm/Dockerfile',
    context: 'deploy/compose/realm',
  },
  {
    name: 'localhost/kerbridge-demo-hadoop',
    dockerfile: 'deploy/compose/hadoop/Dockerfile',
    context: '.',
  },
] as const;

/** Builds every image of ours on local base images; layers of the build before are used again. */
export async function buildImages(engine: Engine, progress: Progress): Promise<void> {
  await withLock(
    `containers ${engine.dir}`,
    async () => {
      await ensureBaseImages(engine, progress);
      for (const { name, dockerfile, context } of images) {
        await withElapsedTime(progress, `building ${name}`, () =>
          withOutside(engine, (volumes) =>
            engine.buildah([
              ...['bud', '--pull-never', '--layers', ...volumes, '--tag', name],
              ...['--file', join(root, dockerfile), join(root, context)],
            ]),
          ),
        );
      }
      // Layers of builds before are what makes the next one quick: only old ones go.
      await engine.podman(['image', 'prune', '--force', '--filter', 'until=168h']);
      for (const { name } of images) progress(`${name}: ${megabytes(await imageSize(engine, name))}`);
    },
    () => progress('waiting for another process that builds images'),
  );
}

/** In bytes, as `podman images` counts. */
export async function imageSize(engine: Engine, name: string): Promise<number> {
  const result = await engine.podman(['image', 'inspect', '--format', '{{ .Size }}', name]);
  return Number(result.stdout.trim());
}

export const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
