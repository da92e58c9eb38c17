import { readStack } from '../../stack/stack.ts';
import type { Stack } from '../../stack/stack.ts';
import { temporaryFolder } from '../hadoop/hdfs-token-service.ts';
import { createServiceAccountLogin, LEAST_RULES, TestNamespace } from '../kubernetes-objects.ts';
import type { PodOptions, TestPod } from '../kubernetes-objects.ts';
import { startServe } from '../serve-process.ts';
import type { ServeProcess } from '../serve-process.ts';

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
    return {
      name: 'stack',
      hadoopConf: this.stack.hdfs.confDir,
      keytab: this.stack.keytabs.kerbridge,
      krb5Conf: this.stack.krb5Conf,
      allowPlainHttp: true,
      ...change,
    };
  }

  async serve(
    change: Record<string, unknown> = {},
    { untilReady = true }: { untilReady?: boolean } = {},
  ): Promise<ServeProcess> {
    const serve = await startServe({
      dir: this.folder,
      untilReady,
      config: {
        kubernetes: { kubeconfig: this.kubeconfig, audience: AUDIENCE },
        log: { level: 'debug' },
        clusters: [this.cluster()],
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

  /** A new pod and the token that its projected volume would hold. */
  async pod(
    options: PodOptions,
    { namespace = this.namespace, audience = AUDIENCE } = {},
  ): Promise<{ pod: TestPod; serviceAccountToken: string }> {
    const pod = await namespace.createPod(options);
    const serviceAccountToken = (await namespace.requestToken([audience], { pod })).reveal();
    this.shown.push(serviceAccountToken);
    return { pod, serviceAccountToken };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const dispose of this.#disposals.toReversed()) await dispose();
  }
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
  const bytes = Buffer.from(await response.arrayBuffer());
  const isJson = response.headers.get('content-type')?.includes('json') === true;
  return {
    status: response.status,
    headers: response.headers,
    bytes,
    json: isJson ? (JSON.parse(bytes.toString()) as Record<string, unknown>) : {},
  };
}
