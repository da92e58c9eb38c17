import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { FETCH_IMAGE, IMAGE } from '../containers/build-images.ts';
import { containerEngine, leftovers, removeLeftovers } from '../containers/engine.ts';
import { runHadoopFs } from '../stack/stack.ts';
import { ContainerWorld } from './container-world.ts';

// Longer than serve ever needs, shorter than anybody waits: past it podman sends SIGKILL, and the exit code is 137.
const GRACE_SECONDS = 15;

describe('serve from the image, with a random UID, a read-only root and no capability', () => {
  let world: ContainerWorld;

  beforeAll(async () => {
    await removeLeftovers(await containerEngine());
    world = await ContainerWorld.create();
    await world.startServe();
  });

  afterAll(async () => {
    const { engine } = world;
    await world[Symbol.asyncDispose]();
    expect(await leftovers(engine)).toEqual({
      containers: [],
      pods: [],
      networks: [],
      volumes: [],
      processes: [],
    });
  });

  it.each([
    { client: 'kerbridge fetch', image: IMAGE, command: ['fetch'] },
    { client: 'fetch-credentials.sh', image: FETCH_IMAGE, command: [] },
  ])('hands a token of the real NameNode to $client in its image', async ({ image, command }) => {
    const { serveWorld } = world;
    const fetched = await world.fetch(image, command, await serveWorld.pod({ user: 'alice' }));
    expect(fetched).toMatchObject({ exitCode: 0 });
    const { tokenFile } = fetched;
    expect((await stat(tokenFile)).mode & 0o777).toBe(0o600);

    const { stack } = serveWorld;
    const list = (path: string) =>
      runHadoopFs(stack, { confDir: stack.hdfs.confDir, tokenFile, args: ['-ls', path] });
    const own = await list('/user/alice');
    expect(own).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('/user/alice/hello.txt') });
    const others = await list('/user/bob');
    expect(others.exitCode).not.toBe(0);
    expect(others.stderr).toContain('Permission denied: user=alice');
  });

  it.each([
    { client: 'kerbridge fetch', image: IMAGE, command: ['fetch'] },
    { client: 'fetch-credentials.sh', image: FETCH_IMAGE, command: [] },
  ])('refuses a pod without a stamp, which $client tells by its exit code', async ({ image, command }) => {
    const refused = await world.fetch(image, command, await world.serveWorld.pod({}));
    expect(refused).toMatchObject({ exitCode: 3, stderr: expect.stringContaining('403') });
    expect(existsSync(refused.tokenFile)).toBe(false);
  });

  it('checks its configuration', async () => {
    const good = await world.kerbridge('serve', '--config', '/config/kerbridge.yaml', '--check-config');
    expect(good).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('configuration ok') });
    const bad = await world.kerbridge('serve', '--config', '/config/no-such-file.yaml', '--check-config');
    expect(bad.exitCode).toBe(2);
  });

  it('says its version, and explains itself when it is given no command', async () => {
    expect((await world.kerbridge('--version')).stdout).toMatch(/^[0-9]+\.[0-9]+\.[0-9]+\n$/);
    const { exitCode, stdout } = await world.kerbridge();
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: expect.stringContaining('serve') });
  });

  it('ends by SIGTERM, with 0', async () => {
    const { exitCode, output } = await world.stopServe(GRACE_SECONDS);
    expect(exitCode).toBe(0);
    for (const serviceAccountToken of world.serveWorld.shown) {
      expect(output).not.toContain(serviceAccountToken);
    }
  });
});
