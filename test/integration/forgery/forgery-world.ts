import { randomBytes } from 'node:crypto';
import { cp, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { silent } from '../../stack/progress.ts';
import { down, upKubernetes } from '../../stack/stack.ts';
import { DEPLOY } from '../deploy/deploy-copy.ts';
import { openKubectl } from '../deploy/kubectl.ts';
import type { Kubectl } from '../deploy/kubectl.ts';
import { temporaryFolder } from '../hadoop/hdfs-token-service.ts';
import { createReadyNode } from '../ready-node.ts';
import { openApi } from '../api-caller.ts';
import type { ApiCaller, ApiObject, Requester } from '../api-caller.ts';

export const STAMP = 'kerbridge.dev/stamp';
export const TEMPLATE_STAMP = 'kerbridge.dev/template-stamp';
export const USER = 'iddecorator.username';
export const STAMPED = 'kerbridge.dev/stamped';
export const OPT_IN = 'iddecorator';
export const MIRROR = 'kubernetes.io/config.mirror';

/** The stamp is what decorate would have written; the policies don't read it. */
export const ALICES = {
  annotations: { [STAMP]: 'stamp-of-alice', [USER]: 'alice', 'team.example.com/note': 'of the pod' },
  labels: { [STAMPED]: 'true', app: 'train' },
} as const;

/** Whether a pod that was made with {@link ALICES} says anything else about who it speaks for. */
export function differsFromAlices({ metadata }: ApiObject): boolean {
  const { annotations, labels }: { annotations: Record<string, string>; labels: Record<string, string> } =
    ALICES;
  return (
    [STAMP, USER, TEMPLATE_STAMP].some((key) => metadata?.annotations?.[key] !== annotations[key]) ||
    metadata?.labels?.[STAMPED] !== labels[STAMPED]
  );
}

/** Who may do everything that RBAC can allow: what stops them is something else. */
export const TENANT: Requester = { user: 'mallory', groups: ['tenants'] };
export const NODE = 'worker-1';
export const KUBELET: Requester = { user: `system:node:${NODE}`, groups: ['system:nodes'] };

export interface ForgeryPod {
  readonly name: string;
  readonly path: string;
  readonly uid: string;
  /** What a PUT or a server-side apply starts from. */
  readonly object: ApiObject;
}

/**
 * A Kubernetes of its own with the policies of deploy/ and without any webhook: what is refused here is refused while
 * decorate is away. Nobody else's tests meet the policies, which hold in the whole cluster.
 */
export class ForgeryWorld implements AsyncDisposable {
  /** Opted in. */
  static readonly TEAM = 'team';
  /** Not opted in. */
  static readonly OTHERS = 'others';

  readonly api: ApiCaller;
  readonly kubectl: Kubectl;
  readonly folder: string;
  readonly #disposables: AsyncDisposableStack;

  private constructor(api: ApiCaller, kubectl: Kubectl, folder: string, disposables: AsyncDisposableStack) {
    this.api = api;
    this.kubectl = kubectl;
    this.folder = folder;
    this.#disposables = disposables;
  }

  static async open(): Promise<ForgeryWorld> {
    await using disposables = new AsyncDisposableStack();
    const { path } = disposables.use(await temporaryFolder());
    const dir = join(path, 'stack');
    disposables.defer(() => down({ dir, progress: silent }));
    const stack = await upKubernetes({ dir, progress: silent, controllers: 'own' });
    const kubectl = disposables.use(await openKubectl(stack));
    const api = disposables.adopt(await openApi(stack.kubernetes), (each) => each.close());
    const world = new ForgeryWorld(api, kubectl, path, disposables.move());
    await world.#prepare();
    return world;
  }

  async #prepare(): Promise<void> {
    await this.createNamespace(ForgeryWorld.TEAM, { [OPT_IN]: 'enabled' });
    await this.createNamespace(ForgeryWorld.OTHERS);
    await this.api.must('/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
      method: 'POST',
      body: {
        metadata: { name: 'tenants-may-do-everything' },
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
        subjects: ['tenants', 'nobodys-nodes'].map((name) => ({
          apiGroup: 'rbac.authorization.k8s.io',
          kind: 'Group',
          name,
        })),
      },
    });
    await this.api.must(`/apis/rbac.authorization.k8s.io/v1/namespaces/${ForgeryWorld.TEAM}/rolebindings`, {
      method: 'POST',
      body: {
        metadata: { name: 'analysts-edit' },
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'edit' },
        subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'Group', name: 'analysts' }],
      },
    });
    await createReadyNode(this.api, NODE);
    await this.kubectl.must(['apply', '--server-side', '--filename=-'], {
      input: await this.render('admission-policies'),
    });
  }

  /** A component of deploy/, as an overlay with these patches would have it. */
  async render(component: string, patches: readonly object[] = []): Promise<string> {
    const copy = join(this.folder, `deploy-${unique()}`);
    const overlay = join(copy, 'overlays/of-a-test');
    await cp(DEPLOY, copy, { recursive: true });
    await mkdir(overlay);
    await writeFile(
      join(overlay, 'kustomization.yaml'),
      JSON.stringify({
        apiVersion: 'kustomize.config.k8s.io/v1beta1',
        kind: 'Kustomization',
        components: [`../../components/${component}`],
        patches,
      }),
    );
    return await this.kubectl.must(['kustomize', overlay]);
  }

  async createNamespace(name: string, labels: Readonly<Record<string, string>> = {}): Promise<ApiObject> {
    const created = await this.api.must('/api/v1/namespaces', {
      method: 'POST',
      body: { metadata: { name, labels } },
    });
    await this.createServiceAccount(name, 'trainer');
    return created;
  }

  async createServiceAccount(namespace: string, name: string): Promise<void> {
    const body = { metadata: { name } };
    await this.api.must(`/api/v1/namespaces/${namespace}/serviceaccounts`, { method: 'POST', body });
  }

  /** A stamped pod of alice's, made by server-side apply so that a later apply may leave things out. */
  async createPod(change: { readonly nodeName?: string; readonly spec?: object } = {}): Promise<ForgeryPod> {
    const name = `pod-${unique()}`;
    const path = `/api/v1/namespaces/${ForgeryWorld.TEAM}/pods/${name}`;
    const body = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, ...ALICES },
      spec: podSpec({
        ...(change.nodeName === undefined ? {} : { nodeName: change.nodeName }),
        ...change.spec,
      }),
    };
    const created = await this.api.must(path, { method: 'PATCH', kind: 'apply', body });
    return { name, path, uid: created.metadata?.uid ?? '', object: created };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#disposables.disposeAsync();
  }
}

export function podSpec(change: object = {}): object {
  return {
    serviceAccountName: 'trainer',
    terminationGracePeriodSeconds: 0,
    containers: [{ name: 'main', image: 'none' }],
    ...change,
  };
}

export function unique(): string {
  return randomBytes(5).toString('hex');
}
