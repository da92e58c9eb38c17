/** Why an authenticated pod speaks for nobody: for the operator's log; the caller only sees a 403 with a stable code. */
export type IdentityRefusal =
  | 'no-stamp'
  /** The pod names a user, and nobody has signed that. */
  | 'stamp-unsigned'
  | 'stamp-malformed'
  /** That of a template, say. */
  | 'stamp-of-other-type'
  /** None of the keys at hand; it may be one of a rotation that has not been seen here yet. */
  | 'stamp-key-unknown'
  | 'stamp-forged'
  /** Of a format that this version does not know. */
  | 'stamp-version-unknown'
  | 'stamp-of-other-pod'
  /** Not made with the pod, so copied from an earlier one of the same name. */
  | 'stamp-untimely'
  /** The annotation names another user than the stamp. */
  | 'stamp-user-differs'
  | 'user-name-invalid'
  | 'user-outside-namespace-rule'
  | 'do-as-not-allowed'
  | 'user-denied'
  | 'user-revoked'
  | 'pod-revoked';

export type IdentityResult =
  | {
      readonly outcome: 'identified';
      /** The user that the pod is stamped with. */
      readonly stampedUser: string;
      /** The one that it speaks for: the same, or whom it asked to be instead. */
      readonly user: string;
      /** The Kubernetes user who asked for the pod, by its stamp; absent if it has none. */
      readonly requester?: string;
    }
  | { readonly outcome: 'refused'; readonly reason: IdentityRefusal; readonly detail?: string }
  | {
      readonly outcome: 'could-not-check';
      /**
       * `stamp-keys`: there are no keys to verify stamps with.
       * `revocations`: the list could not be read for too long, so nobody knows who was revoked.
       * `user-pattern`: the configured pattern took too long for the name; no word about the user.
       */
      readonly dependency: 'stamp-keys' | 'revocations' | 'user-pattern';
      readonly detail?: string;
    };

/** The same object as long as nothing of it changes: what is found out about it is remembered with it. */
export interface StampedPod {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  /** `creationTimestamp`, ms since the epoch. */
  readonly createdAt: number;
  readonly annotations: Readonly<Record<string, string>>;
}

/** Decides which Hadoop user a pod speaks for. `doAs` is what the caller asks to be instead, or undefined. */
export type IdentifyUser = (pod: StampedPod, doAs: string | undefined) => IdentityResult;
