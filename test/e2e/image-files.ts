import { lstat, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Engine } from '../containers/engine.ts';

export interface ImageFile {
  /** From the root of the image, `/usr/bin/tini`. */
  readonly path: string;
  readonly mode: number;
  readonly kind: 'file' | 'folder' | 'link';
  /** Of a link. */
  readonly target?: string;
}

/** Every file, folder and link of an image, by looking into it: no program of the image is run. */
export async function imageFiles(engine: Engine, name: string): Promise<ImageFile[]> {
  const mounted = (await engine.podman(['image', 'mount', name])).stdout.trim();
  try {
    const files: ImageFile[] = [];
    for (const entry of await readdir(mounted, { recursive: true, withFileTypes: true })) {
      const file = join(entry.parentPath, entry.name);
      const { mode } = await lstat(file);
      const path = file.slice(mounted.length);
      if (entry.isFile()) files.push({ path, mode, kind: 'file' });
      if (entry.isDirectory()) files.push({ path, mode, kind: 'folder' });
      if (entry.isSymbolicLink()) files.push({ path, mode, kind: 'link', target: await readlink(file) });
    }
    return files;
  } finally {
    await engine.podman(['image', 'unmount', name]);
  }
}

export interface ImageConfig {
  readonly User: string;
  readonly Entrypoint: readonly string[];
  readonly Env: readonly string[];
  readonly Labels: Readonly<Record<string, string>>;
  readonly Healthcheck?: unknown;
}

export async function imageConfig(
  engine: Engine,
  name: string,
): Promise<{ config: ImageConfig; layers: number }> {
  const [image] = JSON.parse((await engine.podman(['image', 'inspect', name])).stdout) as [
    { Config: ImageConfig; RootFS: { Layers: readonly string[] } },
  ];
  return { config: image.Config, layers: image.RootFS.Layers.length };
}
