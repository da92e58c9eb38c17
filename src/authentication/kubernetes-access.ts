import type { Secret } from '../observability/secret.ts';

/**
 * What the API server says about a service-account token: the parts of TokenReviewStatus that a decision needs.
 * `authenticated: false` is its "no"; `error` is its reason, for the operator only.
 */
export type ServiceAccountTokenReview =
  | {
      readonly authenticated: true;
      /** The audiences that the token and the question have in common; empty if the API server ignored the question. */
      readonly audiences: readonly string[];
      readonly username: string;
      /** UID of the service account; empty if the API server named none. */
      readonly uid: string;
      readonly groups: readonly string[];
      readonly extra: Readonly<Record<string, readonly string[]>>;
    }
  | { readonly authenticated: false; readonly error: string };

/** Asks the authority. Rejects when it could not be asked or did not answer; a "no" is a value, never a rejection. */
export type ReviewServiceAccountToken = (
  serviceAccountToken: Secret<string>,
  audiences: readonly string[],
  options?: { readonly signal?: AbortSignal },
) => Promise<ServiceAccountTokenReview>;

/** A live pod, projected to the fields that decide. */
export interface PodView {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  /** `spec.serviceAccountName`; an absent or empty one is given as `default`, which is what it means. */
  readonly serviceAccount: string;
  /** `status.phase`; `Pending` when the pod has no status yet. */
  readonly phase: string;
  /** `metadata.creationTimestamp`, by the API server's clock, whole seconds: ms since the epoch. */
  readonly createdAt: number;
  /**
   * ms since the epoch, undefined unless the pod is terminating. The API server sets it to the moment the grace period
   * ends, so until then the pod still works.
   */
  readonly deletionTimestamp: number | undefined;
  /** `status.podIPs`, IPv4 in dotted form, IPv6 as Node writes it; empty until the kubelet has written them. */
  readonly podIps: readonly string[];
  readonly annotations: Readonly<Record<string, string>>;
}

/** The pod as the API server has it now, or undefined if there is none of that name. Rejects when it could not be read. */
export type GetPod = (
  namespace: string,
  name: string,
  options?: { readonly signal?: AbortSignal },
) => Promise<PodView | undefined>;

/**
 * The pod of that name as the reflector last saw it; undefined when there is none, or when the reflector can't vouch for
 * its knowledge (not synced, nothing heard for too long). So undefined means "ask", never "no such pod".
 */
export type LookUpPod = (namespace: string, name: string) => PodView | undefined;

/** A queue of ours before the Kubernetes API was full, or a call waited in it for too long: nobody was asked. */
export class KubernetesQueueError extends Error {
  override readonly name = 'KubernetesQueueError';
}
