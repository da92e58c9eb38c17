import { randomUUID } from 'node:crypto';
import type {
  GetPod,
  PodView,
  ReviewServiceAccountToken,
  ServiceAccountTokenReview,
} from '../../src/authentication/kubernetes-access.ts';
import type { TokenClaims } from '../../src/authentication/token-claims.ts';
import { Secret } from '../../src/observability/secret.ts';
import type { Clock } from '../../src/time/clock.ts';

interface IssuedToken {
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly accountUid: string;
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
  readonly #accountUids = new Map<string, string>();
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
      // As the API server says it.
      createdAt: Math.floor(this.#clock.now() / 1000) * 1000,
      deletionTimestamp: undefined,
      podIps: ['10.0.0.7'],
      annotations: {},
      ...pod,
    };
    this.#pods.set(keyOf(created.namespace, created.name), created);
    return created;
  }

  setPodIps(pod: PodView, podIps: readonly string[]): void {
    this.#change(pod, { podIps });
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
      accountUid: this.accountUid(account.namespace, account.serviceAccount),
      audiences,
      pod: pod === undefined ? undefined : { name: pod.name, uid: pod.uid },
    });
    return new Secret(serviceAccountToken);
  }

  /** What the JWT of an issued token would say of itself; undefined for a token that is none of ours. */
  claimsOf(serviceAccountToken: Secret<string>): TokenClaims | undefined {
    const issued = this.#tokens.get(serviceAccountToken.reveal());
    if (issued?.pod === undefined) return undefined;
    const { namespace, serviceAccount, accountUid, pod } = issued;
    return {
      issuer: 'https://kubernetes.default.svc',
      issuedAt: this.#clock.now(),
      expiresAt: this.#clock.now() + 3_600_000,
      namespace,
      serviceAccount: { name: serviceAccount, uid: accountUid },
      pod,
    };
  }

  /** Every account is there; always the same until it is made anew. */
  accountUid(namespace: string, serviceAccount: string): string {
    const key = keyOf(namespace, serviceAccount);
    const uid = this.#accountUids.get(key) ?? randomUUID();
    this.#accountUids.set(key, uid);
    return uid;
  }

  /** Deletes the account and makes another of its name. */
  recreateAccount(namespace: string, serviceAccount: string): void {
    this.#accountUids.set(keyOf(namespace, serviceAccount), randomUUID());
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
    if (issued === undefined) return no();
    const common = issued.audiences.filter((audience) => audiences.includes(audience));
    if (common.length === 0) {
      return no(
        `token audiences ${quoted(issued.audiences)} is invalid for the target audiences ${quoted(audiences)}`,
      );
    }
    const refusal = this.#refusalOf(issued);
    if (refusal !== undefined) return no(refusal);
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
      uid: issued.accountUid,
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

  #refusalOf({ namespace, serviceAccount, accountUid, pod: bound }: IssuedToken): string | undefined {
    const uid = this.accountUid(namespace, serviceAccount);
    if (uid !== accountUid) return `service account UID (${uid}) does not match claim (${accountUid})`;
    if (bound === undefined) return undefined;
    const pod = this.#pods.get(keyOf(namespace, bound.name));
    const endsAt = (pod?.deletionTimestamp ?? Number.POSITIVE_INFINITY) + LEEWAY_AFTER_DELETION_MS;
    if (pod === undefined || this.#clock.now() >= endsAt) return 'service account token has been invalidated';
    return pod.uid === bound.uid
      ? undefined
      : `pod UID (${pod.uid}) does not match service account pod ref claim (${bound.uid})`;
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

/** As an aggregate of Go's is printed: of all authenticators that were asked. */
function no(reason?: string): ServiceAccountTokenReview {
  const refusals = ['invalid bearer token', ...(reason === undefined ? [] : [reason])];
  return { authenticated: false, error: refusals.length > 1 ? `[${refusals.join(', ')}]` : refusals.join() };
}

function quoted(texts: readonly string[]): string {
  return `[${texts.map((text) => `"${text}"`).join(' ')}]`;
}
