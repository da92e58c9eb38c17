import { randomInt, randomUUID } from 'node:crypto';
import { chmod, chown, copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { IMAGE } from '../containers/build-images.ts';
import { containerEngine } from '../containers/engine.ts';
import type { Engine } from '../containers/engine.ts';
import { ServeWorld } from '../integration/serve/serve-world.ts';
import { freePort, waitFor } from '../integration/serve-process.ts';
import type { CommandResult } from '../stack/run-command.ts';

const FIXTURES = join(import.meta.dirname, '../fixtures/tls');

/** As a pod with the Pod Security level `restricted` and a random UID runs: nothing may be written but /tmp. */
const RESTRICTED = [
  ...['--read-only', '--tmpfs', '/tmp:rw,noexec,nosuid,nodev,size=64m'],
  ...['--cap-drop', 'all', '--security-opt', 'no-new-privileges'],
  // The servers of the stack are on loopback, and so is what goes to them.
  ...['--network', 'host', '--pull', 'never'],
];

/** `kerbridge serve` in a container beside the real stack, and one-shot containers that play the pod. */
export class ContainerWorld implements AsyncDisposable {
  readonly engine: Engine;
  readonly serveWorld: ServeWorld;
  /** Random, as some platforms give each namespace its own. */
  readonly uid = randomInt(100_000, 2_000_000_000);
  readonly folder: string;
  readonly url: string;
  readonly adminUrl: string;
  readonly #serve = `kerbridge-e2e-${randomUUID().slice(0, 8)}`;

  private constructor(engine: Engine, serveWorld: ServeWorld, port: number, adminPort: number) {
    this.engine = engine;
    this.serveWorld = serveWorld;
    this.folder = serveWorld.folder;
    this.url = `https://localhost:${port}`;
    this.adminUrl = `http://127.0.0.1:${adminPort}`;
  }

  static async create(): Promise<ContainerWorld> {
    const engine = await containerEngine();
    const world = await ServeWorld.create();
    const [port, adminPort] = [await freePort(), await freePort()];
    const container = new ContainerWorld(engine, world, port, adminPort);
    await chmod(world.folder, 0o711);
    const { stack } = world;
    await container.#give('config', {
      kubeconfig: world.kubeconfig,
      'kerbridge.keytab': stack.keytabs.kerbridge,
      'krb5.conf': stack.krb5Conf,
      'core-site.xml': join(stack.hdfs.confDir, 'core-site.xml'),
      'hdfs-site.xml': join(stack.hdfs.confDir, 'hdfs-site.xml'),
      'tls.crt': join(FIXTURES, 'renewed.crt'),
      'tls.key': join(FIXTURES, 'renewed.key'),
    });
    const config = {
      listen: {
        address: '127.0.0.1',
        port,
        tls: { certFile: '/config/tls.crt', keyFile: '/config/tls.key' },
      },
      admin: { address: '127.0.0.1', port: adminPort },
      kubernetes: { kubeconfig: '/config/kubeconfig' },
      // Nothing signs these pods; with the ID decorator this is not needed.
      identity: { requireSignature: false, revocationsConfigMap: { namespace: world.namespace.name } },
      delegationTokens: { storeNamespace: world.namespace.name },
      clusters: [
        {
          name: 'stack',
          hadoopConf: '/config',
          keytab: '/config/kerbridge.keytab',
          krb5Conf: '/config/krb5.conf',
          allowPlainHttp: true,
        },
      ],
    };
    await writeFile(join(world.folder, 'config/kerbridge.yaml'), stringify(config), { mode: 0o644 });
    return container;
  }

  /** Copies files to where the container's user, and nobody else, reads them. */
  async #give(folder: string, files: Readonly<Record<string, string>>): Promise<void> {
    const target = join(this.folder, folder);
    await mkdir(target, { mode: 0o755 });
    for (const [name, source] of Object.entries(files)) {
      const file = join(target, name);
      await copyFile(source, file);
      await chmod(file, 0o400);
      await chown(file, this.uid, this.uid);
    }
  }

  get #asServe(): string[] {
    const user = ['--user', `${this.uid}:${this.uid}`];
    return [...RESTRICTED, ...user, '--volume', `${join(this.folder, 'config')}:/config:ro`];
  }

  /** Runs a command of the image to its end, with the files that `serve` has. */
  async kerbridge(...args: string[]): Promise<CommandResult> {
    return await this.engine.tryPodman(['run', '--rm', ...this.#asServe, IMAGE, ...args]);
  }

  async startServe(): Promise<void> {
    const args = ['serve', '--config', '/config/kerbridge.yaml'];
    await this.engine.podman(['run', '--detach', '--name', this.#serve, ...this.#asServe, IMAGE, ...args]);
    await waitFor(async () => (await fetch(`${this.adminUrl}/readyz`).catch(() => undefined))?.ok === true);
  }

  /** SIGTERM, and SIGKILL when that does not help within the given time. */
  async stopServe(seconds: number): Promise<{ exitCode: number; output: string }> {
    await this.engine.podman(['stop', '--time', String(seconds), this.#serve]);
    const state = await this.engine.podman(['inspect', '--format', '{{ .State.ExitCode }}', this.#serve]);
    const logs = await this.engine.podman(['logs', this.#serve]);
    return { exitCode: Number(state.stdout), output: logs.stdout + logs.stderr };
  }

  /** Runs an image of a fetch client as an init container: a projected token and a folder for the token file. */
  async fetch(
    image: string,
    command: readonly string[],
    pod: { readonly serviceAccountToken: string },
  ): Promise<CommandResult & { tokenFile: string }> {
    const folder = join(this.folder, `pod-${randomUUID().slice(0, 8)}`);
    await mkdir(folder);
    await chown(folder, this.uid, this.uid);
    await writeFile(join(folder, 'service-account-token'), pod.serviceAccountToken, { mode: 0o400 });
    await chown(join(folder, 'service-account-token'), this.uid, this.uid);
    await copyFile(join(FIXTURES, 'renewed.crt'), join(folder, 'ca.crt'));
    const result = await this.engine.tryPodman([
      ...['run', '--rm', ...RESTRICTED, '--user', `${this.uid}:${this.uid}`, '--volume', `${folder}:/pod`],
      ...[image, ...command, '--url', this.url, '--ca-file', '/pod/ca.crt', '--output', '/pod/hadoop.token'],
      ...['--service-account-token-file', '/pod/service-account-token'],
    ]);
    return { ...result, tokenFile: join(folder, 'hadoop.token') };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.engine.tryPodman(['rm', '--force', '--time', '1', this.#serve]);
    await this.serveWorld[Symbol.asyncDispose]();
  }
}
