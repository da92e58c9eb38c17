import { once } from 'node:events';
import { request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { request as secureRequest } from 'node:https';
import { buffer } from 'node:stream/consumers';
import { readStack } from '../../stack/stack.ts';
import type { Stack } from '../../stack/stack.ts';
import { stackCluster } from '../stack-cluster.ts';
import { temporaryFolder } from '../hadoop/hdfs-token-service.ts';
import { createServiceAccountLogin, LEAST_RULES, TestNamespace } from '../kubernetes-objects.ts';
import type { PodOptions, TestPod } from '../kubernetes-objects.ts';
import { startServe } from '../serve-process.ts';
import type { ServeOptions, ServeProcess } from '../serve-process.ts';

export const AUDIENCE = 'kerbridge';

/** A namespace, a login with the least rights, and any number of `serve` processes on the real stack. */
export class ServeWorld implements AsyncDisposable {
  readonly stack: Stack;
  readonly folder: string;
  readonly namespace: TestNamespace;
  readonly kubeconfig: string;
  /** Every service-account token that was shown: none may ever be printed. */
  readonly shown: string[] = [];
  readonly #disposals: (() => Promise<unknown>)[] = [];

  private constructor(stack: Stack, folder: string, namespace: TestNamespace, kubeconfig: string) {
    this.stack = stack;
    this.folder = folder;
    this.namespace = namespace;
    this.kubeconfig = kubeconfig;
  }

  static async create(): Promise<ServeWorld> {
    const stack = await readStack();
    const folder = await temporaryFolder();
    const admin = stack.kubernetes.kubeconfig.admin;
    const login = await createServiceAccountLogin(admin, LEAST_RULES);
    const namespace = await TestNamespace.create(admin);
    const world = new ServeWorld(stack, folder.path, namespace, login.kubeconfig);
    world.#disposals.push(
      async () => await folder[Symbol.asyncDispose](),
      () => login.dispose(),
      () => namespace.dispose(),
    );
    return world;
  }

  /** The configuration of one cluster: the stack's plain HDFS, with changes. */
  cluster(change: Record<string, unknown> = {}): Record<string, unknown> {
    return stackCluster(this.stack, change);
  }

  async serve(
    { identity, ...change }: Readonly<Record<string, unknown>> & { readonly identity?: object } = {},
    options: Pick<ServeOptions, 'untilReady' | 'port' | 'main' | 'env'> = {},
  ): Promise<ServeProcess> {
    const serve = await startServe({
      dir: this.folder,
      ...options,
      config: {
        kubernetes: { kubeconfig: this.kubeconfig, audience: AUDIENCE },
        log: { level: 'debug' },
        clusters: [this.cluster()],
        // Of its own: other tests on the same servers revoke too.
        identity: { revocationsConfigMap: { namespace: this.namespace.name }, ...identity },
        delegationTokens: { storeNamespace: this.namespace.name },
        ...change,
      },
    });
    this.#disposals.push(() => serve.stop());
    return serve;
  }

  async anotherNamespace(): Promise<TestNamespace> {
    const namespace = await TestNamespace.create(this.stack.kubernetes.kubeconfig.admin);
    this.#disposals.push(() => namespace.dispose());
    return namespace;
  }

  /** A new pod, at the address that our requests come from, and the token that its projected volume would hold. */
  async pod(
    options: PodOptions,
    { namespace = this.namespace, audience = AUDIENCE } = {},
  ): Promise<{ pod: TestPod; serviceAccountToken: string }> {
    const pod = await namespace.createPod({ podIp: '127.0.0.1', ...options });
    const serviceAccountToken = (await namespace.requestToken([audience], { pod })).reveal();
    this.shown.push(serviceAccountToken);
    return { pod, serviceAccountToken };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const dispose of this.#disposals.toReversed()) await dispose();
  }
}

/** One request, exactly as it is described. */
export interface ExactRequest {
  /** Default: `/v1/credentials`. */
  readonly path?: string;
  /** Each a line of its own, in this order, the same name twice if it is there twice. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** IP address to call from; default: what the system takes. */
  readonly from?: string;
  /** PEM, for a server with TLS and a certificate for localhost. */
  readonly ca?: string;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly bytes: Buffer;
  readonly json: Record<string, unknown>;
}

/** GET /v1/credentials as a client would. */
export async function askCredentials(
  serve: Pick<ServeProcess, 'url'>,
  serviceAccountToken: string | undefined,
  {
    accept = 'application/json',
    query = '',
    headers = {},
  }: { accept?: string; query?: string; headers?: Record<string, string> } = {},
): Promise<Answer> {
  const response = await fetch(`${serve.url}/v1/credentials${query}`, {
    headers: {
      Accept: accept,
      ...(serviceAccountToken === undefined ? {} : { Authorization: `Bearer ${serviceAccountToken}` }),
      ...headers,
    },
    signal: AbortSignal.timeout(100_000),
  });
  return toAnswer(response.status, response.headers, Buffer.from(await response.arrayBuffer()));
}

/** Like {@link askCredentials}, with what `fetch` would not send: several lines of a name, another source address. */
export async function askExactly(
  serve: Pick<ServeProcess, 'url'>,
  { path = '/v1/credentials', headers, from, ca }: ExactRequest,
): Promise<Answer> {
  const url = new URL(path, serve.url);
  const sent = (ca === undefined ? request : secureRequest)(url, {
    ...(ca === undefined ? {} : { ca, servername: 'localhost' }),
    agent: false,
    headers: [['Host', url.host], ['Connection', 'close'], ...headers].flat(),
    ...(from === undefined ? {} : { localAddress: from }),
  }).end();
  const [reply] = (await once(sent, 'response')) as [IncomingMessage];
  const received = new Headers();
  for (const [name, values = []] of Object.entries(reply.headersDistinct)) {
    for (const value of values) received.append(name, value);
  }
  return toAnswer(reply.statusCode ?? 0, received, await buffer(reply));
}

function toAnswer(status: number, headers: Headers, bytes: Buffer): Answer {
  const isJson = headers.get('content-type')?.includes('json') === true;
  return {
    status,
    headers,
    bytes,
    json: isJson ? (JSON.parse(bytes.toString()) as Record<string, unknown>) : {},
  };
}
