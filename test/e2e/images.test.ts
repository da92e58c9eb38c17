import { beforeAll, describe, expect, it } from '@jest/globals';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FETCH_IMAGE, IMAGE, imageSize, megabytes, root } from '../containers/build-images.ts';
import { containerEngine } from '../containers/engine.ts';
import type { Engine } from '../containers/engine.ts';
import { imageConfig, imageFiles } from './image-files.ts';
import type { ImageConfig, ImageFile } from './image-files.ts';

const SETUID_OR_SETGID = 0o6000;
const WRITABLE_BY_ALL = 0o002;

// What builds images, fetches packages, or is of use only to who breaks in.
const UNWANTED_PROGRAMS =
  /\/s?bin\/(npm|npx|corepack|yarn|yarnpkg|apt|apt-get|perl|python3?|gcc|cc|c\+\+|g\+\+|cpp|ld|as|make|gdb|curl|wget|ssh)$/;

describe.each([
  { name: IMAGE, limit: 250e6 },
  { name: FETCH_IMAGE, limit: 15e6 },
])('$name', ({ name, limit }) => {
  let engine: Engine;
  let files: ImageFile[];
  let config: ImageConfig;
  let layers: number;

  beforeAll(async () => {
    engine = await containerEngine();
    files = await imageFiles(engine, name);
    ({ config, layers } = await imageConfig(engine, name));
  });

  it('is small', async () => {
    const size = await imageSize(engine, name);
    process.stderr.write(`${name}: ${megabytes(size)}\n`);
    expect(size).toBeGreaterThan(1e6);
    expect(size).toBeLessThan(limit);
  });

  it('runs as a user by number who is not root, and needs no shell to start or to be watched', () => {
    expect(config.User).toMatch(/^[1-9][0-9]{2,}:[1-9][0-9]{2,}$/);
    expect(config.Entrypoint[0]).toMatch(/^\//);
    expect(config.Entrypoint.join(' ')).not.toMatch(/\bsh\b -c/);
    expect(config.Healthcheck).toBeUndefined();
  });

  it('has labels that say what it is', async () => {
    const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string };
    expect(config.Labels).toMatchObject({
      'org.opencontainers.image.title': name.replace('localhost/', ''),
      'org.opencontainers.image.version': version,
    });
    expect(config.Labels['org.opencontainers.image.licenses']).toContain('Apache-2.0');
  });

  it('is one layer: nothing that was removed is in one below', () => {
    expect(layers).toBe(1);
  });

  it('has no setuid or setgid file, and nothing that all may write but folders for temporary files', () => {
    expect(files.length).toBeGreaterThan(100);
    const paths = (wanted: (file: ImageFile) => boolean) => files.filter(wanted).map(({ path }) => path);
    expect(paths(({ kind, mode }) => kind === 'file' && (mode & SETUID_OR_SETGID) !== 0)).toEqual([]);
    const writable = paths(({ kind, mode }) => kind !== 'link' && (mode & WRITABLE_BY_ALL) !== 0);
    expect(writable.filter((path) => !/^\/(tmp|var\/tmp|run\/lock)$|^\/dev\//.test(path))).toEqual([]);
  });

  it('keeps nothing of the place where it was built', () => {
    const traces =
      /^\/mnt\/|npmrc$|\.npm\/|node-compile-cache|^\/etc\/ssl\/certs\/java|^\/build|^\/root-of-image/;
    expect(files.map(({ path }) => path).filter((path) => traces.test(path))).toEqual([]);
  });

  it('has the environment that it needs and no more', () => {
    expect(new Set(config.Env.map((each) => each.split('=')[0]))).toEqual(
      new Set(name === IMAGE ? ['NODE_ENV', 'PATH'] : ['PATH']),
    );
  });
});

describe(IMAGE, () => {
  let files: string[];

  beforeAll(async () => {
    files = (await imageFiles(await containerEngine(), IMAGE)).map(({ path }) => path);
  });

  it('has no compiler, no package manager, no other interpreter, no headers', () => {
    expect(files.filter((path) => UNWANTED_PROGRAMS.test(path))).toEqual([]);
    expect(files.filter((path) => /\.(h|hpp|gypi?)$|^\/usr\/include\/./.test(path))).toEqual([]);
  });

  it('has one Node, and of our dependencies what runs', () => {
    expect(files.filter((path) => path.endsWith('/bin/node'))).toEqual(['/usr/local/bin/node']);
    expect(files).toEqual(
      expect.arrayContaining([
        '/opt/kerbridge/dist/main.js',
        '/opt/kerbridge/package.json',
        '/opt/kerbridge/LICENSE',
        '/opt/kerbridge/CHANGELOG.md',
        '/opt/kerbridge/node_modules/kerberos/build/Release/kerberos.node',
      ]),
    );
    const dispensable =
      /\.(ts|mts|cts|map|bare)$|node_modules\/(typescript|jest|prettier|prebuild-install)\/|\.test\./;
    expect(files.filter((path) => path.startsWith('/opt/') && dispensable.test(path))).toEqual([]);
  });

  it('keeps the licenses of what is in it', () => {
    expect(files.filter((path) => /node_modules\/.*\/licen[cs]e/i.test(path)).length).toBeGreaterThan(20);
  });
});
