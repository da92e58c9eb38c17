// node test/containers/cli.ts build | down | remove
import { rm } from 'node:fs/promises';
import { messageOf } from '../stack/errors.ts';
import { toStderr } from '../stack/progress.ts';
import { buildImages } from './build-images.ts';
import { composeDown } from './compose.ts';
import { containerEngine } from './engine.ts';

const usage = `usage: node test/containers/cli.ts COMMAND
  build    make the base images and all of ours
  down     end the services of docker-compose.yml
  remove   end them, and remove every image and the storage (base images stay in the cache)
`;

async function main(command: string | undefined): Promise<number> {
  if (command === undefined || !['build', 'down', 'remove'].includes(command)) {
    process.stderr.write(usage);
    return 2;
  }
  const engine = await containerEngine();
  if (command === 'build') {
    await buildImages(engine, toStderr);
    return 0;
  }
  await composeDown(engine);
  if (command === 'remove') {
    await engine.podman(['system', 'reset', '--force']);
    await rm(engine.dir, { recursive: true, force: true });
  }
  return 0;
}

try {
  process.exitCode = await main(process.argv[2]);
} catch (error) {
  process.stderr.write(`containers: ${messageOf(error)}\n`);
  process.exitCode = 1;
}
