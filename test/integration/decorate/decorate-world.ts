import { cp, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { parsePublicKeys } from '../../../src/identity/stamps/read-stamp-keys.ts';
import { verifyPodStamp, type PodStamp } from '../../../src/identity/stamps/pod-stamp.ts';
import type { StampPublicKeys } from '../../../src/identity/stamps/stamp-keys.ts';
import { POD_STAMP_ANNOTATION } from '../../../src/identity/stamps/stamp-annotations.ts';
import { silent } from '../../stack/progress.ts';
import { down, type Stack, upKubernetes } from '../../stack/stack.ts';
import { type ApiCaller, type ApiObject, openApi, type Requester } from '../api-caller.ts';
import { type DecorateProcess, startDecorate } from '../decorate-process.ts';
import { DEPLOY } from '../deploy/deploy-copy.ts';
import { type Kubectl, openKubectl } from '../deploy/kubectl.ts';
import { temporaryFolder } from '../hadoop/hdfs-token-service.ts';
import { readPublishedKeys } from '../published-stamp-keys.ts';
import { createReadyNode } from '../ready-node.ts';
import { freePort } from '../serve-process.ts';
import { until } from '../until.ts';

export const TEAM = 'team';
export const OTHERS = 'others';
export const ANNOTATION = 'iddecorator.username';
export const OWN = 'kerbridge';
const ACCOUNT = 'kerbridge-decorate';

/** People of the team; all may edit in both namespaces. */
export const ALICE: Requester = { user: 'alice', groups: ['analysts'] };
export const BOB: Requester = { user: 'bob', groups: ['analysts'] };

/**
 * A Kubernetes of its own with the real controllers, the component of deploy/ applied, and a real `kerbridge decorate` that
 * runs beside it with the rights of its service account. Only the way from the API server to it differs: a URL on loopback
 * in the place of a Service.
 */
export class DecorateWorld implements AsyncDisposable {
  readonly api: ApiCaller;
  readonly kubectl: Kubectl;
  readonly stack: Pick<Stack, 'kubernetes'>;
  readonly folder: string;
  readonly port: number;
  decorate: DecorateProcess | undefined;
  readonly #config: object;
  readonly #kubeconfig: string;
  readonly #disposables: AsyncDisposableStack;

  private constructor(
    parts: Pick<DecorateWorld, 'api' | 'kubectl' | 'stack' | 'folder' | 'port'> & { readonly config: object },
    disposables: AsyncDisposableStack,
  ) {
    this.api = parts.api;
    this.kubectl = parts.kubectl;
    this.stack = parts.stack;
    this.folder = parts.folder;
    this.port = parts.port;
    this.#config = parts.config;
    this.#kubeconfig = join(parts.folder, 'decorate.kubeconfig');
    this.#disposables = disposables;
  }

  static async open({
    controllers = 'own',
    config = {},
  }: {
    readonly controllers?: 'own' | 'shared';
    /** Of `kerbridge decorate`, on top of what it needs here. */
    readonly config?: object;
  } = {}): Promise<DecorateWorld> {
    await using disposables = new AsyncDisposableStack();
    const { path: folder } = disposables.use(await temporaryFolder());
    const dir = join(folder, 'stack');
    disposables.defer(() => down({ dir, progress: silent }));
    const stack = await upKubernetes({ dir, progress: silent, controllers });
    const kubectl = disposables.use(await openKubectl(stack));
    const api = disposables.adopt(await openApi(stack.kubernetes), (each) => each.close());
    const world = new DecorateWorld(
      { api, kubectl, stack, folder, port: await freePort(), config },
      disposables.move(),
    );
    await world.#prepare();
    await world.start();
    return world;
  }

  async #prepare(): Promise<void> {
    const { api } = this;
    await createReadyNode(api, 'worker-1');
    await this.createNamespace(OWN);
    await this.kubectl.must(['apply', '--server-side', '--filename=-'], { input: await this.#render() });
    const { server, caFile } = this.stack.kubernetes;
    const token = await this.kubectl.must(['create', 'token', ACCOUNT, '--namespace', OWN, '--duration=2h']);
    await writeFile(
      this.#kubeconfig,
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'Config',
        clusters: [{ name: 'c', cluster: { server, 'certificate-authority': caFile } }],
        users: [{ name: 'u', user: { token: token.trim() } }],
        contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
        'current-context': 'c',
      }),
      { mode: 0o600 },
    );
    await this.createNamespace(TEAM, { iddecorator: 'enabled' });
    await this.createNamespace(OTHERS);
    for (const namespace of [TEAM, OTHERS]) {
      await api.must(`/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}/rolebindings`, {
        method: 'POST',
        body: {
          metadata: { name: 'analysts-edit' },
          roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'edit' },
          subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'Group', name: 'analysts' }],
        },
      });
    }
  }

  async createNamespace(name: string, labels: Readonly<Record<string, string>> = {}): Promise<void> {
    await this.api.must('/api/v1/namespaces', { method: 'POST', body: { metadata: { name, labels } } });
    const path = `/api/v1/namespaces/${name}/serviceaccounts/default`;
    await until(
      `account default of ${name}`,
      async () => (await this.api.call(path, { method: 'GET' })).status === 200,
    );
  }

  /** The component, but that nothing of it runs, and that the API server asks here. */
  async #render(): Promise<string> {
    const copy = join(this.folder, 'deploy');
    const overlay = join(copy, 'overlays/of-a-test');
    await cp(DEPLOY, copy, { recursive: true });
    await mkdir(overlay);
    const url = (kind: string, path: string, count: number): object => ({
      target: { kind },
      patch: JSON.stringify(
        Array.from({ length: count }, (_, index) => ({
          op: 'replace',
          path: `/webhooks/${index}/clientConfig`,
          value: { url: `https://localhost:${this.port}/${path}` },
        })),
      ),
    });
    await writeFile(
      join(overlay, 'kustomization.yaml'),
      JSON.stringify({
        apiVersion: 'kustomize.config.k8s.io/v1beta1',
        kind: 'Kustomization',
        components: ['../../components/decorate'],
        replicas: [{ name: ACCOUNT, count: 0 }],
        patches: [
          url('MutatingWebhookConfiguration', 'mutate', 3),
          url('ValidatingWebhookConfiguration', 'validate', 4),
        ],
      }),
    );
    return await this.kubectl.must(['kustomize', overlay]);
  }

  /** `change`: keys of the configuration that are other than those of deploy/. */
  async start(args: readonly string[] = [], change: object = {}): Promise<DecorateProcess> {
    this.decorate = await startDecorate({
      dir: this.folder,
      port: this.port,
      args,
      config: {
        kubernetes: { kubeconfig: this.#kubeconfig },
        tls: {
          ownCa: { dnsNames: ['localhost'], secret: { namespace: OWN, name: 'kerbridge-decorate-tls' } },
        },
        signing: { secret: { namespace: OWN, name: 'kerbridge-stamp-keys' } },
        requestersFile: join(DEPLOY, 'components/decorate/requesters.yaml'),
        ...this.#config,
        ...change,
      },
    });
    return this.decorate;
  }

  /** Starts it anew with a requestersFile that says this, on top of its version; `change` is as in {@link start}. */
  async startWithRequesters(requesters: object, change: object = {}): Promise<void> {
    await this.stop();
    const requestersFile = join(this.folder, 'requesters.yaml');
    await writeFile(requestersFile, stringify({ version: 1, ...requesters }));
    await this.start([], { requestersFile, ...change });
  }

  /** Resolves when the API server has resources of these definitions. */
  async define(...definitions: readonly object[]): Promise<void> {
    const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: definitions });
    await this.kubectl.must(['create', '--filename=-'], { input });
    await this.kubectl.must(['wait', '--for=condition=Established', '--timeout=30s', 'crd', '--all']);
  }

  async stop(): Promise<void> {
    await this.decorate?.stop();
    this.decorate = undefined;
  }

  /** What `serve` would believe of the pod's stamp, by the published keys; a word if it is none. */
  async stampOf(pod: ApiObject): Promise<PodStamp | string> {
    const stamp = pod.metadata?.annotations?.[POD_STAMP_ANNOTATION] ?? '';
    const opened = verifyPodStamp(stamp, await this.publishedKeys());
    return opened.outcome === 'valid' ? opened.stamp : opened.reason;
  }

  async publishedKeys(): Promise<StampPublicKeys> {
    const read = parsePublicKeys(await readPublishedKeys(this.api));
    if (!read.ok) throw new Error('the published keys are none');
    return read.keys;
  }

  async podsOf(prefix: string, namespace = TEAM): Promise<readonly ApiObject[]> {
    const list = await this.api.must(`/api/v1/namespaces/${namespace}/pods`, { method: 'GET' });
    const { items } = list as { items?: readonly ApiObject[] };
    return (items ?? []).filter(({ metadata }) => metadata?.name?.startsWith(prefix));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await this.#disposables.disposeAsync();
  }
}

export function podBody(name: string, change: object = {}): object {
  return {
    metadata: { name, ...change },
    spec: { terminationGracePeriodSeconds: 0, containers: [{ name: 'main', image: 'trainer:1' }] },
  };
}

export const podsPath = (namespace = TEAM): string => `/api/v1/namespaces/${namespace}/pods`;
