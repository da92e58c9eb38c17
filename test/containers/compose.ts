import { freePort } from '../integration/serve-process.ts';
import { root } from './build-images.ts';
import type { Engine } from './engine.ts';

const PROJECT = 'kerbridge';
const compose = ['-p', PROJECT];

/** Starts docker-compose.yml with the images that are there. Ports that it publishes are free ones. */
export async function composeUp(engine: Engine): Promise<void> {
  await engine.compose([...compose, 'up', '-d', '--no-build'], {
    cwd: root,
    timeoutMs: 240_000,
    env: {
      NAMENODE_PORT: String(await freePort()),
      KUBE_APISERVER_PORT: String(await freePort()),
      KERBRIDGE_PORT: String(await freePort()),
      PROMETHEUS_PORT: String(await freePort()),
    },
  });
}

export async function composeDown(engine: Engine): Promise<void> {
  await engine.compose([...compose, 'down', '-v'], { cwd: root, timeoutMs: 240_000 });
  // podman-compose before 1.0.6 leaves the network; Docker and later ones don't.
  await engine.tryPodman(['network', 'rm', '--force', `${PROJECT}_default`]);
}

export const containerOf = (service: string): string => `${PROJECT}_${service}_1`;
