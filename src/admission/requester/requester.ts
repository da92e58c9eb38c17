import type { PodView } from '../../authentication/kubernetes-access.ts';

/** `userInfo` of an AdmissionReview: who the API server says the requester is. */
export interface Requester {
  readonly username: string;
  /** undefined: the API server named none, as for users of a certificate and for impersonated service accounts. */
  readonly uid?: string | undefined;
  readonly groups?: readonly string[] | undefined;
  readonly extra?: Readonly<Record<string, readonly string[]>> | undefined;
}

export interface RequesterQuestion {
  readonly requester: Requester;
  /** Of the object. */
  readonly namespace: string;
  /** What the object's user annotation says as it came; only a delegate's counts. undefined: there is none. */
  readonly namedUser: string | undefined;
}

/** Why a requester speaks for no user. A stable code, for the audit. */
export type RequesterRefusal =
  | 'requester-malformed'
  /** A service account without what the API server says of one that has shown a token: impersonated, or a legacy Secret. */
  | 'service-account-unproven'
  | 'delegate-not-in-namespace'
  | 'delegate-names-nobody'
  | 'delegate-may-not-name-user'
  | 'creator-pod-malformed'
  | 'creator-pod-not-found'
  | 'creator-pod-uid-differs'
  | 'creator-pod-service-account-differs'
  | 'creator-pod-finished'
  | 'creator-pod-terminating'
  | 'creator-pod-not-stamped'
  | 'rule-refuses'
  | 'rule-ambiguous'
  /** Nodes, controllers, the anonymous user … */
  | 'system-requester'
  | 'service-account-not-mapped'
  | 'requester-not-mapped'
  // Whom it speaks for may not be there; the same words as in `identity/`.
  | 'user-name-invalid'
  | 'user-outside-namespace-rule'
  | 'user-denied';

export type RequesterDependency = 'kubernetes-api' | 'user-pattern' | 'signing-keys';

export interface CouldNotCheckRequester {
  readonly outcome: 'could-not-check';
  readonly dependency: RequesterDependency;
  /** For the operator. */
  readonly detail?: string;
}

export interface RequesterRefused {
  readonly outcome: 'refused';
  readonly reason: RequesterRefusal;
  /** For the person: what is wrong, and what to do. */
  readonly text: string;
  /** For the operator. */
  readonly detail?: string;
}

export type RequesterResult =
  | {
      readonly outcome: 'user';
      readonly user: string;
      readonly via: 'delegate' | 'creator-pod' | 'rule' | 'itself';
      /** User name of who asked. */
      readonly requester: string;
    }
  /** Speaks for nobody: the template stamp of the object's owner decides. */
  | { readonly outcome: 'trusted-controller'; readonly name: string }
  | RequesterRefused
  | CouldNotCheckRequester;

/** Which Hadoop user an object speaks for, by who made it. Never throws. */
export type MapRequester = (question: RequesterQuestion) => Promise<RequesterResult>;

/** The user of the pod's stamp, if that is a good one of this very pod. Must not throw. */
export type VerifyPodStamp = (pod: PodView) => PodStampVerdict;

export type PodStampVerdict =
  | { readonly outcome: 'verified'; readonly user: string }
  /** `reason` is for the operator. */
  | { readonly outcome: 'refused'; readonly reason: string }
  | CouldNotCheckRequester;
