import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { composeDown, composeUp, containerOf } from '../containers/compose.ts';
import { containerEngine, leftovers, removeLeftovers } from '../containers/engine.ts';
import type { Engine } from '../containers/engine.ts';

interface InspectedContainer {
  readonly Name: string;
  readonly HostConfig: {
    readonly PortBindings: Readonly<Record<string, readonly { readonly HostIp: string }[] | null>>;
  };
}

describe('docker-compose.yml', () => {
  let engine: Engine;

  beforeAll(async () => {
    engine = await containerEngine();
    await removeLeftovers(engine);
    await composeUp(engine);
  });

  afterAll(async () => {
    await composeDown(engine);
  });

  it('runs the demo, which goes as told', async () => {
    const demo = containerOf('demo');
    const exitCode = (await engine.podman(['wait', demo], { timeoutMs: 360_000 })).stdout.trim();
    const story = (await engine.podman(['logs', demo])).stdout;
    process.stderr.write(story);
    expect(story).toContain('GET /user/alice/hello.txt: 200 hello from alice');
    expect(story).toContain('Permission denied: user=alice');
    expect(story).toContain('Done: every step went as told.');
    expect(exitCode).toBe('0');
  });

  it('publishes ports on loopback only', async () => {
    const names = (await leftovers(engine)).containers;
    const inspected = await engine.podman(['inspect', '--type', 'container', ...names]);
    const containers = JSON.parse(inspected.stdout) as readonly InspectedContainer[];
    const hosts = containers.flatMap(({ HostConfig }) =>
      Object.values(HostConfig.PortBindings).flatMap((bindings) =>
        (bindings ?? []).map(({ HostIp }) => HostIp),
      ),
    );
    expect(hosts).toEqual(['127.0.0.1', '127.0.0.1', '127.0.0.1', '127.0.0.1']);
  });

  it('keeps the keytabs from the pod', async () => {
    for (const service of ['demo', 'application']) {
      const inspected = await engine.podman([
        'inspect',
        '--format',
        '{{ json .Mounts }}',
        containerOf(service),
      ]);
      expect(inspected.stdout).toContain('kerbridge_pod');
      expect(inspected.stdout).not.toMatch(
        /kerbridge_(realm|hadoop-secrets|kerbridge-secrets|kubernetes-secrets)/,
      );
    }
  });

  it('leaves nothing when it goes down', async () => {
    await composeDown(engine);
    expect(await leftovers(engine)).toEqual({
      containers: [],
      pods: [],
      networks: [],
      volumes: [],
      processes: [],
    });
  });
});
