import { expect } from '@jest/globals';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeCredentials } from '../../../src/hadoop/codec/credentials.ts';
import { clusterFiles } from '../../stack/kubernetes/cluster-files.ts';
import { stackPaths } from '../../stack/paths.ts';
import { hdfsControl } from '../../stack/stack.ts';
import { KubernetesProxy, kubeconfigThrough } from '../kubernetes-proxy.ts';
import type { PodOptions } from '../kubernetes-objects.ts';
import type { ServeProcess } from '../serve-process.ts';
import { type FalseAnswer, NameNodeTap } from './name-node-tap.ts';
import { Secrets } from './secrets.ts';
import { askExactly, AUDIENCE, ServeWorld } from './serve-world.ts';
import type { Answer } from './serve-world.ts';
import { TamperingProxy } from './tampering-proxy.ts';

const TLS = join(import.meta.dirname, '../../fixtures/tls');

interface Parts {
  readonly world: ServeWorld;
  readonly api: KubernetesProxy;
  readonly tap: NameNodeTap;
  readonly tampering: TamperingProxy;
  readonly serve: ServeProcess;
  readonly config: Readonly<Record<string, unknown>>;
  readonly auditFile: string;
  readonly ownToken: string;
  readonly ca: string;
}

/**
 * A `serve` with TLS at the most verbose level, between servers that can be made to fail. Every secret that it is given or
 * gets is kept, and everything that others can read of it.
 */
export class LeakHuntWorld implements AsyncDisposable {
  readonly secrets = new Secrets();
  /** Everything that others can read, by where. */
  readonly texts: [where: string, content: string][] = [];
  /** How many answers had which status. */
  readonly statuses = new Map<number, number>();
  readonly parts: Parts;
  #users = 0;

  private constructor(parts: Parts) {
    this.parts = parts;
  }

  static async create(): Promise<LeakHuntWorld> {
    const world = await ServeWorld.create();
    const { stack, folder } = world;
    const { kubernetes, hdfs, keytabs } = stack;
    await hdfsControl(hdfs).reset();
    const api = await KubernetesProxy.before(kubernetes.server, await readFile(kubernetes.caFile, 'utf8'));
    const kubeconfig = join(folder, 'proxied.kubeconfig');
    const text = await kubeconfigThrough(api, world.kubeconfig);
    await writeFile(kubeconfig, text, { mode: 0o600 });
    const tap = await NameNodeTap.before(hdfs.nameNodes[0]?.httpUrl ?? '');
    const tampering = await TamperingProxy.before(tap.url);
    const auditFile = join(folder, 'audit.log');
    const config = {
      kubernetes: { kubeconfig, audience: AUDIENCE },
      clusters: [world.cluster({ hadoopConf: await tampering.confDir(hdfs, folder) })],
      limits: { hadoopCallTimeout: '2s', kubernetesCallTimeout: '2s' },
      listen: { tls: { certFile: join(TLS, 'localhost.crt'), keyFile: join(TLS, 'localhost.key') } },
      log: { level: 'debug' },
    };
    const hunt = new LeakHuntWorld({
      ...{ world, api, tap, tampering, config, auditFile },
      serve: await world.serve({ ...config, audit: { file: auditFile } }),
      ownToken: /"token":"([^"]+)"/.exec(text)?.[1] ?? '',
      ca: await readFile(join(TLS, 'localhost.crt'), 'utf8'),
    });
    const { secrets } = hunt;
    secrets.addJwt('the token of our own account', hunt.parts.ownToken);
    secrets.addKeytab('the keytab', await readFile(keytabs.kerbridge));
    const signingKey = await readFile(clusterFiles(stackPaths(stack.dir)).serviceAccountKey, 'utf8');
    secrets.addPrivateKey('the signing key of service-account tokens', signingKey);
    secrets.addPrivateKey('the key of TLS', await readFile(join(TLS, 'localhost.key'), 'utf8'));
    // In logs by right, and in secrets too.
    for (const open of [`kerbridge@${stack.realm}`, 'HDFS_DELEGATION_TOKEN', '127.0.0.1:', 'localhost:']) {
      secrets.allow(open);
    }
    secrets.allow(`hadoop.auth=u=kerbridge&p=kerbridge@${stack.realm}&t=kerberos&e=`);
    return hunt;
  }

  /** Keeps what the caller sees; of the credentials themselves only what stands beside them. */
  async ask(
    serviceAccountToken: string | undefined,
    {
      path = '/v1/credentials',
      from = this.parts.serve,
      headers = [],
    }: { path?: string; from?: ServeProcess; headers?: readonly (readonly [string, string])[] } = {},
  ): Promise<Answer> {
    const authorization =
      serviceAccountToken === undefined
        ? []
        : ([['Authorization', `Bearer ${serviceAccountToken}`]] as const);
    const { ca } = this.parts;
    const answer = await askExactly(from, { path, headers: [...authorization, ...headers], ca });
    const { status } = answer;
    this.statuses.set(status, (this.statuses.get(status) ?? 0) + 1);
    const { credentials, ...beside } = answer.json;
    if (status === 200) this.#keepCredentials(Buffer.from(String(credentials), 'base64'));
    const body = status === 200 ? JSON.stringify(beside) : answer.bytes.toString();
    const lines = [...answer.headers].map((line) => line.join(': '));
    this.texts.push([`answer ${status}`, [...lines, body].join('\n')]);
    return answer;
  }

  /** Of a user of its own, so that no delegation token is at hand for it. */
  async newPod(options: PodOptions = {}, audience = AUDIENCE) {
    this.#users += 1;
    const user = `user${String(this.#users).padStart(3, '0')}`;
    return await this.parts.world.pod({ user, ...options }, { audience });
  }

  /** While the fault is there, a pod that nobody knows yet asks; the answer has one of these statuses. */
  async askDuring(expected: readonly number[], fault: () => () => void): Promise<void> {
    const { serviceAccountToken } = await this.newPod();
    const end = fault();
    try {
      expect(expected).toContain((await this.ask(serviceAccountToken)).status);
    } finally {
      end();
    }
  }

  /** The NameNode gives that answer instead of its own, to whatever it is asked. */
  async askFalsely(answer: FalseAnswer): Promise<void> {
    const { tap } = this.parts;
    let given = 0;
    await this.askDuring([502, 503], () => {
      tap.falseAnswer = (asked) => {
        given += 1;
        return answer(asked);
      };
      return () => (tap.falseAnswer = () => undefined);
    });
    expect(given).toBeGreaterThan(0);
  }

  /** To be called before the search: what was shown to us, and what has passed on the wire. */
  collectSecrets(): void {
    const { world, tap } = this.parts;
    const { secrets } = this;
    for (const token of world.shown) secrets.addJwt('a token that was shown', token);
    for (const cookie of tap.cookies) {
      secrets.add('cookie', cookie);
      secrets.add('signature of a cookie', cookie.slice(cookie.lastIndexOf('&s=') + 3));
    }
    for (const token of tap.negotiateTokens) {
      secrets.add('Negotiate header', token);
      secrets.add('bytes of a Negotiate header', Buffer.from(token, 'base64'));
    }
    for (const token of tap.delegationTokens) secrets.add('delegation token in a URL', token);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { world, tampering, tap, api } = this.parts;
    for (const part of [world, tampering, tap, api]) await part[Symbol.asyncDispose]();
  }

  #keepCredentials(file: Buffer): void {
    this.secrets.add('credentials file', file);
    for (const { token } of decodeCredentials(file).credentials.tokens) {
      this.secrets.add('password of a delegation token', token.password);
      this.secrets.add('identifier of a delegation token', token.identifier);
    }
  }
}
