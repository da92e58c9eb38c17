import { randomUUID } from 'node:crypto';
import type {
  GetPod,
  PodView,
  ReviewServiceAccountToken,
} from '../../src/authentication/kubernetes-access.ts';
import { Secret } from '../../src/observability/secret.ts';
import type { Clock } from '../../src/time/clock.ts';

interface IssuedToken {
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly audiences: readonly string[];
  readonly pod: { readonly name: string; readonly uid: string } | undefined;
}

/** How long the API server goes on accepting a token after the deletionTimestamp of its pod. */
const LEEWAY_AFTER_DELETION_MS = 60_000;

/**
 * A Kubernetes API that holds pods and service-account tokens in memory and answers a TokenReview as kube-apiserver
 * does, its generous sides included: yes for a finished pod, and yes for a minute after a deletionTimestamp.
 * test/integration/authentication/kubernetes-contract.test.ts holds it against the real one. Without the caches of
 * the real one: what changes here shows at once.
 */
export class FakeKubernetesApi {
  readonly #clock: Clock;
  readonly #pods = new Map<string, PodView>();
  readonly #tokens = new Map<string, IssuedToken>();
  #failure: unknown;

  /** Calls so far, oldest first, without the tokens. */
  readonly calls: string[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A running pod, replacing one of that name; a new UID each time. */
  createPod(pod: Partial<PodView> & { readonly name: string }): PodView {
    const created: PodView = {
      namespace: 'team-a',
      uid: randomUUID(),
      serviceAccount: 'default',
      phase: 'Running',
      deletionTimestamp: undefined,
      annotations: {},
      ...pod,
    };
    this.#pods.set(keyOf(created.namespace, created.name), created);
    return created;
  }

  setPhase(pod: PodView, phase: string): void {
    this.#change(pod, { phase });
  }

  /** As DELETE with a grace period does it while a kubelet lets the pod end. */
  terminatePod(pod: PodView, gracePeriodMs: number): void {
    this.#change(pod, { deletionTimestamp: this.#clock.now() + gracePeriodMs });
  }

  deletePod(pod: PodView): void {
    this.#pods.delete(keyOf(pod.namespace, pod.name));
  }

  /** As TokenRequest; without `pod` the token is bound to the account alone. */
  issueToken(
    audiences: readonly string[],
    account: { readonly namespace: string; readonly serviceAccount: string },
    pod?: PodView,
  ): Secret<string> {
    const serviceAccountToken = `fake.${randomUUID()}.token`;
    this.#tokens.set(serviceAccountToken, {
      namespace: account.namespace,
      serviceAccount: account.serviceAccount,
      audiences,
      pod: pod === undefined ? undefined : { name: pod.name, uid: pod.uid },
    });
    return new Secret(serviceAccountToken);
  }

  /** From now on every call rejects with this; undefined ends it. */
  failWith(failure: unknown): void {
    this.#failure = failure;
  }

  readonly reviewServiceAccountToken: ReviewServiceAccountToken = async (
    serviceAccountToken,
    audiences,
    options = {},
  ) => {
    this.calls.push(`review for ${audiences.join(', ')}`);
    await this.#answer(options.signal);
    const issued = this.#tokens.get(serviceAccountToken.reveal());
    if (issued === undefined) return { authenticated: false, error: 'invalid bearer token' };
    const common = issued.audiences.filter((audience) => audiences.includes(audience));
    if (common.length === 0) return { authenticated: false, error: 'token audiences are invalid' };
    if (issued.pod !== undefined && !this.#accepts(issued.namespace, issued.pod)) {
      return { authenticated: false, error: 'pod is gone' };
    }
    const extra: Record<string, string[]> = {
      'authentication.kubernetes.io/credential-id': [`JTI=${randomUUID()}`],
    };
    if (issued.pod !== undefined) {
      extra['authentication.kubernetes.io/pod-name'] = [issued.pod.name];
      extra['authentication.kubernetes.io/pod-uid'] = [issued.pod.uid];
    }
    return {
      authenticated: true,
      audiences: common,
      username: `system:serviceaccount:${issued.namespace}:${issued.serviceAccount}`,
      uid: randomUUID(),
      groups: [
        'system:serviceaccounts',
        `system:serviceaccounts:${issued.namespace}`,
        'system:authenticated',
      ],
      extra,
    };
  };

  readonly getPod: GetPod = async (namespace, name, options = {}) => {
    this.calls.push(`get pod ${namespace}/${name}`);
    await this.#answer(options.signal);
    return this.#pods.get(keyOf(namespace, name));
  };

  async #answer(signal: AbortSignal | undefined): Promise<void> {
    await Promise.resolve();
    signal?.throwIfAborted();
    if (this.#failure !== undefined) throw this.#failure;
  }

  #accepts(namespace: string, bound: { readonly name: string; readonly uid: string }): boolean {
    const pod = this.#pods.get(keyOf(namespace, bound.name));
    if (pod?.uid !== bound.uid) return false;
    return (
      pod.deletionTimestamp === undefined ||
      this.#clock.now() < pod.deletionTimestamp + LEEWAY_AFTER_DELETION_MS
    );
  }

  #change(pod: PodView, change: Partial<PodView>): void {
    const key = keyOf(pod.namespace, pod.name);
    const live = this.#pods.get(key);
    if (live === undefined) throw new Error(`no pod ${key}`);
    this.#pods.set(key, { ...live, ...change });
  }
}

function keyOf(namespace: string, name: string): string {
  return `${namespace}/${name}`;
}
