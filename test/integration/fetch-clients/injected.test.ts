import { describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { chmod, chown, rm, stat } from 'node:fs/promises';
import { promisify } from 'node:util';
import { fetchersFor, type Part } from '../../../src/admission/inject/fetcher-parts.ts';
import { TOKENS_FOLDER } from '../../../src/admission/inject/injection.ts';
import { INJECTION } from '../../fakes/pod-injection.ts';
import { CLIENTS } from './clients.ts';
import { credentials } from './fake-serve.ts';
import { FetchWorld } from './fetch-world.ts';

const run = promisify(execFile);
const GROUP = 4711;

/** As the kubelet runs a container of ours: no capability, and in the group of the pod. */
const AS_FETCHER = [
  '/usr/bin/setpriv',
  '--groups',
  String(GROUP),
  '--inh-caps=-all',
  '--bounding-set=-all',
  '--',
];

const asReader = (groups: readonly string[], path: string): readonly string[] => [
  ...['--reuid=1001', '--regid=1001', ...groups, '--inh-caps=-all', '--bounding-set=-all', '--'],
  ...['cat', path],
];

describe.each(CLIENTS)('$name as it is injected', (client) => {
  const program = client.name === 'kerbridge fetch' ? 'kerbridge' : 'fetch-credentials.sh';
  const wish = { init: true, sidecar: true, containers: undefined, cluster: undefined };

  /** What the containers have in their environment and as arguments, but that the folder is another one. */
  const containersIn = (world: FetchWorld, url: string) => {
    const injection = { ...INJECTION, program, url, group: GROUP } as const;
    return fetchersFor({ injection, wish, pod: {} }).map(({ args = [], env }: Part) => ({
      args: (args as readonly string[]).filter((each) => each !== 'fetch'),
      env: {
        ...Object.fromEntries(
          (env as readonly { readonly name: string; readonly value: string }[]).map(({ name, value }) => [
            name,
            value.replace(TOKENS_FOLDER, world.volume),
          ]),
        ),
        KERBRIDGE_SERVICE_ACCOUNT_TOKEN_FILE: world.tokenFile,
      },
    }));
  };

  it('writes for other users of the pod and nobody else, and the sidecar goes on from there', async () => {
    await using world = await FetchWorld.create(client);
    await rm(world.output);
    // An emptyDir is the kubelet's, and for all to write to.
    await chmod(world.folder, 0o711);
    await chmod(world.volume, 0o777);
    await chown(world.volume, 65_534, 65_534);
    const server = await world.serve([credentials(world.new), credentials(world.new)]);
    const [init, sidecar] = containersIn(world, server.url);
    if (init === undefined || sidecar === undefined) throw new Error('there must be two');

    const first = await world.startBare(init.args, init.env, AS_FETCHER);
    expect({ exit: await first.end(), output: first.output }).toMatchObject({ exit: 0 });
    const { gid, mode } = await stat(world.output);
    expect([gid, mode & 0o7777]).toEqual([GROUP, 0o640]);
    const { stdout } = await run('/usr/bin/setpriv', asReader([`--groups=${GROUP}`], world.output), {
      encoding: 'buffer',
    });
    expect(stdout).toEqual(world.new);
    await expect(run('/usr/bin/setpriv', asReader(['--clear-groups'], world.output))).rejects.toThrow(
      /Permission denied/,
    );

    const watcher = await world.startBare(sidecar.args, sidecar.env, AS_FETCHER);
    await world.statusIs('ok');
    expect(await world.healthy()).toMatchObject({ exit: 0 });
    watcher.kill('SIGTERM');
    expect(await watcher.end()).toBe(0);
    expect(await world.read()).toEqual(world.new);
    await world.expectClean();
  });
});
