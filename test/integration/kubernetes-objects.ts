import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  AuthenticationV1Api,
  CoreV1Api,
  KubeConfig,
  PatchStrategy,
  RbacAuthorizationV1Api,
  setHeaderOptions,
  type V1PolicyRule,
} from '@kubernetes/client-node';
import { Secret } from '../../src/observability/secret.ts';

/** A pod that {@link TestNamespace} made. */
export interface TestPod {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly serviceAccount: string;
}

export interface PodOptions {
  /** Default: a unique one. */
  readonly name?: string;
  /** Must exist. Default: the account `trainer` that every test namespace has. */
  readonly serviceAccount?: string;
  /** Written to the annotation `iddecorator.username`. */
  readonly user?: string;
  readonly annotations?: Readonly<Record<string, string>>;
  /** `status.phase`; default Running, as if a kubelet had started it. */
  readonly phase?: string;
  readonly podIp?: string;
}

/**
 * A namespace of its own on the real API server, seen with an administrator's kubeconfig. There is no kubelet and no
 * controller manager: pods are objects, their status is what the test writes, and `dispose` does what the namespace
 * controller would.
 */
export class TestNamespace {
  static readonly DEFAULT_ACCOUNT = 'trainer';

  readonly name: string;
  readonly #core: CoreV1Api;

  private constructor(name: string, core: CoreV1Api) {
    this.name = name;
    this.#core = core;
  }

  static async create(
    adminKubeconfig: string,
    prefix = 'team',
    labels: Readonly<Record<string, string>> = {},
  ): Promise<TestNamespace> {
    const core = loadConfig(adminKubeconfig).makeApiClient(CoreV1Api);
    const name = `${prefix}-${randomUUID().slice(0, 8)}`;
    await core.createNamespace({ body: { metadata: { name, labels } } });
    const namespace = new TestNamespace(name, core);
    await namespace.createServiceAccount(TestNamespace.DEFAULT_ACCOUNT);
    return namespace;
  }

  async createServiceAccount(name: string): Promise<void> {
    await this.#core.createNamespacedServiceAccount({ namespace: this.name, body: { metadata: { name } } });
  }

  async createPod(options: PodOptions = {}): Promise<TestPod> {
    const { serviceAccount = TestNamespace.DEFAULT_ACCOUNT, phase = 'Running', podIp } = options;
    const name = options.name ?? `pod-${randomUUID().slice(0, 8)}`;
    const annotations = {
      ...options.annotations,
      ...(options.user === undefined ? {} : { 'iddecorator.username': options.user }),
    };
    const created = await this.#core.createNamespacedPod({
      namespace: this.name,
      body: {
        metadata: { name, annotations },
        spec: {
          serviceAccountName: serviceAccount,
          // On a node, so that a deletion waits for the grace period as it does for a pod that runs.
          nodeName: 'no-such-node',
          containers: [{ name: 'main', image: 'none' }],
        },
      },
    });
    const uid = created.metadata?.uid ?? '';
    await this.#patchStatus(name, {
      phase,
      ...(podIp === undefined ? {} : { podIP: podIp, podIPs: [{ ip: podIp }] }),
    });
    return { namespace: this.name, name, uid, serviceAccount };
  }

  async deleteServiceAccount(name: string): Promise<void> {
    await this.#core.deleteNamespacedServiceAccount({ namespace: this.name, name });
  }

  /** Makes the ConfigMap, or puts this data in place of what it held. */
  async writeConfigMap(name: string, data: Readonly<Record<string, string>>): Promise<void> {
    const namespace = this.name;
    const body = { metadata: { name }, data };
    const { items } = await this.#core.listNamespacedConfigMap({ namespace });
    if (items.some(({ metadata }) => metadata?.name === name)) {
      await this.#core.replaceNamespacedConfigMap({ namespace, name, body });
    } else {
      await this.#core.createNamespacedConfigMap({ namespace, body });
    }
  }

  /** As the kubelet reports it. */
  async setPodIp(pod: TestPod, podIp: string): Promise<void> {
    await this.#patchStatus(pod.name, { podIP: podIp, podIPs: [{ ip: podIp }] });
  }

  async setPhase(pod: TestPod, phase: string): Promise<void> {
    await this.#patchStatus(pod.name, { phase });
  }

  /** With a grace period the pod is left terminating; with 0 it is gone. */
  async deletePod(pod: TestPod, gracePeriodSeconds: number): Promise<void> {
    await this.#core.deleteNamespacedPod({ namespace: this.name, name: pod.name, gracePeriodSeconds });
  }

  /** By TokenRequest, as the kubelet does it for a projected volume; without `pod` it is bound to the account alone. */
  async requestToken(
    audiences: readonly string[],
    { pod, serviceAccount }: { readonly pod?: TestPod; readonly serviceAccount?: string },
  ): Promise<Secret<string>> {
    const requested = await this.#core.createNamespacedServiceAccountToken({
      namespace: this.name,
      name: serviceAccount ?? pod?.serviceAccount ?? TestNamespace.DEFAULT_ACCOUNT,
      body: {
        spec: {
          audiences: [...audiences],
          expirationSeconds: 3600,
          ...(pod === undefined
            ? {}
            : { boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name: pod.name, uid: pod.uid } }),
        },
      },
    });
    const serviceAccountToken = requested.status?.token;
    if (serviceAccountToken === undefined) throw new Error('TokenRequest without a token');
    return new Secret(serviceAccountToken);
  }

  async dispose(): Promise<void> {
    const namespace = this.name;
    await this.#core.deleteCollectionNamespacedPod({ namespace, gracePeriodSeconds: 0 });
    await this.#core.deleteCollectionNamespacedServiceAccount({ namespace });
    await this.#core.deleteCollectionNamespacedConfigMap({ namespace });
    await this.#core.deleteCollectionNamespacedSecret({ namespace });
    await this.#core.deleteNamespace({ name: namespace });
    await this.#core.replaceNamespaceFinalize({
      name: namespace,
      body: { metadata: { name: namespace }, spec: { finalizers: [] } },
    });
  }

  async #patchStatus(name: string, status: object): Promise<void> {
    await this.#core.patchNamespacedPodStatus(
      { namespace: this.name, name, body: { status } },
      setHeaderOptions('Content-Type', PatchStrategy.MergePatch),
    );
  }
}

/** All that `kerbridge serve` needs of the Kubernetes API. */
export const LEAST_RULES: readonly V1PolicyRule[] = [
  { apiGroups: ['authentication.k8s.io'], resources: ['tokenreviews'], verbs: ['create'] },
  { apiGroups: ['authorization.k8s.io'], resources: ['subjectaccessreviews'], verbs: ['create'] },
  { apiGroups: [''], resources: ['pods'], verbs: ['get', 'list', 'watch'] },
  {
    apiGroups: [''],
    resources: ['configmaps'],
    resourceNames: ['kerbridge-revocations'],
    verbs: ['get'],
  },
  { apiGroups: [''], resources: ['secrets'], verbs: ['get', 'list', 'watch', 'create', 'update', 'delete'] },
];

export interface ServiceAccountLogin {
  /** Path of a kubeconfig with a token of the account. */
  readonly kubeconfig: string;
  /** `system:serviceaccount:…` as the API server sees it. */
  readonly username: string;
  dispose(): Promise<void>;
}

/** A kubeconfig for a new service account `kerbridge` with a ClusterRole of exactly these rules. */
export async function createServiceAccountLogin(
  adminKubeconfig: string,
  rules: readonly V1PolicyRule[] = LEAST_RULES,
): Promise<ServiceAccountLogin> {
  const admin = loadConfig(adminKubeconfig);
  const rbac = admin.makeApiClient(RbacAuthorizationV1Api);
  const namespace = await TestNamespace.create(adminKubeconfig, 'kerbridge');
  await namespace.createServiceAccount('kerbridge');
  // Named after the namespace: roles of two tests at once must not meet.
  const name = namespace.name;
  await rbac.createClusterRole({ body: { metadata: { name }, rules: [...rules] } });
  await rbac.createClusterRoleBinding({
    body: {
      metadata: { name },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name },
      subjects: [{ kind: 'ServiceAccount', namespace: namespace.name, name: 'kerbridge' }],
    },
  });
  const ownToken = await namespace.requestToken([], { serviceAccount: 'kerbridge' });
  const folder = await mkdtemp(join(tmpdir(), 'kerbridge-login-'));
  const kubeconfig = join(folder, 'kubeconfig');
  await writeFile(kubeconfig, await kubeconfigFor(admin, ownToken), { mode: 0o600 });
  return {
    kubeconfig,
    username: `system:serviceaccount:${namespace.name}:kerbridge`,
    dispose: async () => {
      await rbac.deleteClusterRoleBinding({ name });
      await rbac.deleteClusterRole({ name });
      await namespace.dispose();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A kubeconfig for the cluster of `admin` with another user, or at another address. */
export async function kubeconfigFor(
  admin: KubeConfig,
  ownToken: Secret<string>,
  change: { readonly server?: string; readonly withoutCa?: boolean } = {},
): Promise<string> {
  const cluster = admin.getCurrentCluster();
  if (cluster === null) throw new Error('the kubeconfig has no current cluster');
  const ca =
    cluster.caData ??
    (cluster.caFile === undefined ? '' : (await readFile(cluster.caFile)).toString('base64'));
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      {
        name: 'stack',
        cluster: {
          server: change.server ?? cluster.server,
          ...(change.withoutCa === true ? {} : { 'certificate-authority-data': ca }),
        },
      },
    ],
    users: [{ name: 'kerbridge', user: { token: ownToken.reveal() } }],
    contexts: [{ name: 'stack', context: { cluster: 'stack', user: 'kerbridge' } }],
    'current-context': 'stack',
  });
}

/** Who the API server says a kubeconfig is. */
export async function whoAmI(kubeconfig: string): Promise<string | undefined> {
  const review = await loadConfig(kubeconfig)
    .makeApiClient(AuthenticationV1Api)
    .createSelfSubjectReview({ body: {} });
  return review.status?.userInfo?.username;
}

export function loadConfig(kubeconfig: string): KubeConfig {
  const config = new KubeConfig();
  config.loadFromFile(kubeconfig);
  return config;
}
