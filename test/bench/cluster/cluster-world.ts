import { readFile } from 'node:fs/promises';
import { loadKubeConfig } from '../../../src/kubernetes/load-kube-config.ts';
import { Transport } from '../../../src/kubernetes/transport.ts';
import { temporaryFolder } from '../../integration/hadoop/hdfs-token-service.ts';
import { createServiceAccountLogin, TestNamespace } from '../../integration/kubernetes-objects.ts';
import { type ServeProcess, startServe } from '../../integration/serve-process.ts';
import { stackCluster } from '../../integration/stack-cluster.ts';
import { down, type Stack, status, up } from '../../stack/stack.ts';

const AUDIENCE = 'kerbridge';
const ACCOUNT = TestNamespace.DEFAULT_ACCOUNT;
const CALLS_AT_ONCE = 32;
const NAMESPACES_AT_ONCE = 8;
const CALL_TIMEOUT_MS = 60_000;

export interface PodOrder {
  readonly namespace: string;
  readonly name: string;
  readonly user: string;
}

/** The real KDC, NameNode and API server, with namespaces and pods for a measurement. */
export class ClusterWorld implements AsyncDisposable {
  readonly stack: Stack;
  readonly #folder: string;
  readonly #kubeconfig: string;
  readonly #transport: Transport;
  readonly #server: string;
  readonly #disposals: (() => Promise<unknown>)[];
  /** The stack is there afterwards too. */
  readonly #stays: boolean;
  readonly #namespaces: TestNamespace[] = [];
  readonly #serves: ServeProcess[] = [];

  private constructor(
    stack: Stack,
    folder: string,
    kubeconfig: string,
    stays: boolean,
    disposals: (() => Promise<unknown>)[],
  ) {
    this.stack = stack;
    this.#folder = folder;
    this.#kubeconfig = kubeconfig;
    const kubeConfig = loadKubeConfig({ kubeconfig: stack.kubernetes.kubeconfig.admin });
    this.#transport = new Transport({ kubeConfig, timeoutMs: CALL_TIMEOUT_MS });
    this.#server = kubeConfig.getCurrentCluster()?.server ?? '';
    this.#disposals = disposals;
    this.#stays = stays;
  }

  /** Brings the stack up, and down again at the end if it was not up before. */
  static async create(): Promise<ClusterWorld> {
    const wasUp = (await status()).up;
    const stack = await up({ progress: () => {} });
    const folder = await temporaryFolder();
    const login = await createServiceAccountLogin(stack.kubernetes.kubeconfig.admin);
    return new ClusterWorld(stack, folder.path, login.kubeconfig, wasUp, [
      async () => await (wasUp ? undefined : down({ progress: () => {} })),
      async () => await folder[Symbol.asyncDispose](),
      () => login.dispose(),
    ]);
  }

  async namespace(): Promise<string> {
    const namespace = await TestNamespace.create(this.stack.kubernetes.kubeconfig.admin, 'bench');
    this.#namespaces.push(namespace);
    return namespace.name;
  }

  async namespaces(count: number): Promise<readonly string[]> {
    const all = Array.from({ length: count }, (_, index) => index);
    return await inParallel(NAMESPACES_AT_ONCE, all, async () => await this.namespace());
  }

  /** Pods, and for each the token that its projected volume would hold. */
  async pods(orders: readonly PodOrder[]): Promise<readonly string[]> {
    return await inParallel(CALLS_AT_ONCE, orders, async ({ namespace, name, user }) => {
      const pod = (await this.#post(`/api/v1/namespaces/${namespace}/pods`, {
        metadata: { name, annotations: { 'iddecorator.username': user } },
        spec: { serviceAccountName: ACCOUNT, containers: [{ name: 'main', image: 'none' }] },
      })) as { metadata: { uid: string } };
      const request = (await this.#post(`/api/v1/namespaces/${namespace}/serviceaccounts/${ACCOUNT}/token`, {
        spec: {
          audiences: [AUDIENCE],
          expirationSeconds: 3600,
          boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name, uid: pod.metadata.uid },
        },
      })) as { status: { token: string } };
      return request.status.token;
    });
  }

  /** A real `kerbridge serve`, whose store is a namespace of its own. */
  async serve(store: 'kubernetes' | 'memory'): Promise<ServeProcess> {
    const storeNamespace = await this.namespace();
    const serve = await startServe({
      dir: this.#folder,
      config: {
        kubernetes: { kubeconfig: this.#kubeconfig, audience: AUDIENCE, checkSourceAddress: false },
        clusters: [stackCluster(this.stack)],
        // Nothing signs these pods.
        identity: { requireSignature: false, revocationsConfigMap: { namespace: storeNamespace } },
        delegationTokens: { store, storeNamespace },
      },
    });
    this.#serves.push(serve);
    return serve;
  }

  /** How often the NameNode was asked that, by its audit log. */
  async countAudited(command: 'getDelegationToken' | 'cancelDelegationToken'): Promise<number> {
    const text = await readFile(this.stack.hdfs.auditLog, 'utf8');
    return text.split('\n').filter((line) => line.includes(`cmd=${command}\t`)).length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const serve of this.#serves) await serve.stop();
    const namespaces = this.#stays ? this.#namespaces : [];
    await inParallel(NAMESPACES_AT_ONCE, namespaces, async (namespace) => await namespace.dispose());
    for (const dispose of this.#disposals.toReversed()) await dispose();
  }

  async #post(path: string, body: object): Promise<unknown> {
    const reply = await this.#transport.send({
      method: 'POST',
      url: `${this.#server}${path}`,
      body: JSON.stringify(body),
      signal: undefined,
    });
    if (reply.status !== 201) throw new Error(`${path}: status ${reply.status}: ${reply.bytes.toString()}`);
    return JSON.parse(reply.bytes.toString());
  }
}

/** In the order of the items. */
export async function inParallel<Item, Result>(
  atOnce: number,
  items: readonly Item[],
  work: (item: Item) => Promise<Result>,
): Promise<readonly Result[]> {
  const results: Result[] = [];
  const rest = items.entries();
  const workers = Array.from({ length: Math.min(atOnce, items.length) }, async () => {
    for (const [index, item] of rest) results[index] = await work(item);
  });
  await Promise.all(workers);
  return results;
}
