import { CoreV1Api } from '@kubernetes/client-node';
import { join } from 'node:path';
import { writeFile } from 'node:fs/promises';
import type { TokenRecord } from '../../../src/delegation-tokens/token-record.ts';
import { TOKEN_SECRETS } from '../../../src/stores/kubernetes-store.ts';
import { decodeRecord } from '../../../src/stores/record-format.ts';
import { systemClock } from '../../../src/time/clock.ts';
import { hdfsControl } from '../../stack/stack.ts';
import type { HdfsCluster, HdfsControl, IssuedToken, Stack } from '../../stack/stack.ts';
import { loadConfig } from '../kubernetes-objects.ts';
import { ServeWorld } from '../serve/serve-world.ts';
import type { ServeOptions, ServeProcess } from '../serve-process.ts';

export interface SpedUpOptions {
  /** The plain HDFS, or the pair. */
  readonly part?: 'hdfs' | 'ha';
  /** Of the tokens of the NameNode. */
  readonly renewIntervalMs: number;
  readonly maxLifetimeMs: number;
  /** Over the configuration's `delegationTokens`. */
  readonly tokens?: Readonly<Record<string, unknown>>;
}

/** The least that the configuration takes, or little more. */
const TOKENS = { idleTime: '5s', proofOfLife: '2s', stalenessBound: '5s' };
/** From the deletion of a pod until its tokens are cancelled: idle time, staleness bound, and some looks. */
export const CANCELLED_AFTER_MS = 10_000;

/** Time runs faster here: tokens that live for seconds, and `serve` processes that share a store of Secrets. */
export class SpedUpWorld implements AsyncDisposable {
  readonly serveWorld: ServeWorld;
  readonly cluster: HdfsCluster;
  readonly control: HdfsControl;
  readonly #options: SpedUpOptions;
  readonly #startedAt = systemClock.now();

  private constructor(serveWorld: ServeWorld, options: SpedUpOptions) {
    this.serveWorld = serveWorld;
    const cluster = serveWorld.stack[options.part ?? 'hdfs'];
    if (cluster === undefined) throw new Error('this test needs a stack with two NameNodes: stack up --ha');
    this.cluster = cluster;
    this.control = hdfsControl(cluster);
    this.#options = options;
  }

  static async create(options: SpedUpOptions): Promise<SpedUpWorld> {
    const world = new SpedUpWorld(await ServeWorld.create(), options);
    await world.control.reset();
    await world.speedUp();
    return world;
  }

  get stack(): Stack {
    return this.serveWorld.stack;
  }

  /** Of the NameNodes that run; one that starts has the long times of the stack again. */
  async speedUp(): Promise<void> {
    const { renewIntervalMs, maxLifetimeMs } = this.#options;
    await this.control.setTokenLifetimes({ renewIntervalMs, maxLifetimeMs });
  }

  async serve(
    options: Pick<ServeOptions, 'untilReady' | 'port' | 'main' | 'env'> = {},
    { cluster = {}, ...config }: Readonly<Record<string, unknown>> & { readonly cluster?: object } = {},
  ): Promise<ServeProcess> {
    const { tokens = {} } = this.#options;
    const change = {
      clusters: [this.serveWorld.cluster({ hadoopConf: this.cluster.confDir, ...cluster })],
      delegationTokens: { storeNamespace: this.serveWorld.namespace.name, ...TOKENS, ...tokens },
      limits: { hadoopCallTimeout: '5s' },
      ...config,
    };
    return await this.serveWorld.serve(change, options);
  }

  /** A file in the world's folder. */
  async file(name: string, content?: string | Uint8Array): Promise<string> {
    const path = join(this.serveWorld.folder, name);
    if (content !== undefined) await writeFile(path, content, { mode: 0o600 });
    return path;
  }

  /**
   * The NameNode's own list of the user's tokens that have not reached their maxDate, since this world is: one that is not
   * in it was cancelled. Those past their end it forgets once an hour.
   */
  async known(user: string, nn = 0): Promise<IssuedToken[]> {
    const tokens = await this.control.tokens(nn);
    const now = systemClock.now();
    return tokens
      .filter(
        ({ owner, issueDate, maxDate }) => owner === user && issueDate >= this.#startedAt && maxDate > now,
      )
      .sort((one, other) => one.sequenceNumber - other.sequenceNumber);
  }

  /** What the store holds of the user, in the open. */
  async records(user: string): Promise<TokenRecord[]> {
    const core = loadConfig(this.stack.kubernetes.kubeconfig.admin).makeApiClient(CoreV1Api);
    const { items } = await core.listNamespacedSecret({ namespace: this.serveWorld.namespace.name });
    return items.flatMap(({ type, data }) => {
      const encoded = data?.[TOKEN_SECRETS.key];
      if (type !== TOKEN_SECRETS.type || encoded === undefined) return [];
      const decoded = decodeRecord(Buffer.from(encoded, 'base64').toString());
      if (!('record' in decoded)) throw new Error(`a record ${decoded.problem}`);
      return decoded.record.owner === user ? [decoded.record] : [];
    });
  }

  /** Their numbers, in order. */
  async stored(user: string): Promise<number[]> {
    const records = await this.records(user);
    return records
      .flatMap(({ tokens }) => tokens.map(({ token }) => token.sequenceNumber))
      .sort((one, other) => one - other);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.serveWorld[Symbol.asyncDispose]();
    await this.control.reset();
  }
}

export const numbersOf = (tokens: readonly IssuedToken[]): number[] =>
  tokens.map(({ sequenceNumber }) => sequenceNumber);

/** The sum of the samples of a metric whose labels have all of these. */
export async function metricOf(
  { adminUrl }: Pick<ServeProcess, 'adminUrl'>,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): Promise<number> {
  const text = await (await fetch(`${adminUrl}/metrics`)).text();
  const samples = text
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
  const wanted = samples.filter((line) =>
    Object.entries(labels).every(([label, value]) => line.includes(`${label}="${value}"`)),
  );
  return wanted.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
}
