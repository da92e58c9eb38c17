import { CoreV1Api } from '@kubernetes/client-node';
import { type KubernetesApi, loadKubernetesApi } from '../../../src/kubernetes/kubernetes-api.ts';
import {
  KubernetesTokenStore,
  TOKEN_SECRETS,
  type TokenStoreEvent,
} from '../../../src/stores/kubernetes-store.ts';
import { systemClock } from '../../../src/time/clock.ts';
import { type KubernetesControl, kubernetesControl, readStack, type Stack } from '../../stack/stack.ts';
import {
  createServiceAccountLogin,
  loadConfig,
  type ServiceAccountLogin,
  TestNamespace,
} from '../kubernetes-objects.ts';

const RULES = [
  { apiGroups: [''], resources: ['secrets'], verbs: ['get', 'list', 'watch', 'create', 'update', 'delete'] },
];

/** A namespace for tokens on the real API server, and an account that has the rights to it. */
export class StoreWorld implements AsyncDisposable {
  readonly stack: Stack;
  readonly core: CoreV1Api;
  readonly control: KubernetesControl;
  /** With the least rights. */
  readonly api: KubernetesApi;
  readonly namespace: string;
  /** Of all stores that were opened. */
  readonly events: TokenStoreEvent[] = [];
  readonly #login: ServiceAccountLogin;
  readonly #namespace: TestNamespace;
  readonly #opened: KubernetesTokenStore[] = [];

  private constructor(stack: Stack, login: ServiceAccountLogin, namespace: TestNamespace) {
    this.stack = stack;
    this.core = loadConfig(stack.kubernetes.kubeconfig.admin).makeApiClient(CoreV1Api);
    this.control = kubernetesControl(stack);
    this.api = loadKubernetesApi({ kubeconfig: login.kubeconfig });
    this.namespace = namespace.name;
    this.#login = login;
    this.#namespace = namespace;
  }

  static async create(): Promise<StoreWorld> {
    const stack = await readStack();
    const { admin } = stack.kubernetes.kubeconfig;
    return new StoreWorld(
      stack,
      await createServiceAccountLogin(admin, RULES),
      await TestNamespace.create(admin, 'store'),
    );
  }

  /** Another replica. */
  open(by: KubernetesApi = this.api): KubernetesTokenStore {
    const store = new KubernetesTokenStore({
      secrets: by.createSecretRecords({ ...TOKEN_SECRETS, namespace: this.namespace }),
      clock: systemClock,
      random: Math.random,
      onEvent: (event) => this.events.push(event),
    });
    this.#opened.push(store);
    return store;
  }

  count(type: TokenStoreEvent['type']): number {
    return this.events.filter((event) => event.type === type).length;
  }

  malformed() {
    return this.events.filter((event) => event.type === 'malformed');
  }

  /** As somebody who is no store; in the place of what is there. */
  async putByHand(name: string, text: string | undefined, type: string = TOKEN_SECRETS.type): Promise<void> {
    const { namespace } = this;
    const data = text === undefined ? {} : { [TOKEN_SECRETS.key]: Buffer.from(text).toString('base64') };
    const body = { metadata: { name }, type, data };
    const { items } = await this.core.listNamespacedSecret({ namespace });
    if (items.some(({ metadata }) => metadata?.name === name)) {
      await this.core.replaceNamespacedSecret({ namespace, name, body });
    } else {
      await this.core.createNamespacedSecret({ namespace, body });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.control[Symbol.asyncDispose]();
    for (const store of this.#opened) await store.stop();
    this.api.close();
    await this.#namespace.dispose();
    await this.#login.dispose();
  }
}

export async function until(what: () => boolean, timeoutMs = 40_000): Promise<void> {
  const giveUpAt = systemClock.now() + timeoutMs;
  while (!what()) {
    if (systemClock.now() > giveUpAt) throw new Error(`not within ${timeoutMs} ms: ${what.toString()}`);
    await systemClock.sleep(20);
  }
}
