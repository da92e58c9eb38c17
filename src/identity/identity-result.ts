/** Why an authenticated pod speaks for nobody: for the operator's log; the caller only sees a 403 with a stable code. */
export type IdentityRefusal =
  | 'no-stamp'
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
    }
  | { readonly outcome: 'refused'; readonly reason: IdentityRefusal; readonly detail?: string }
  | {
      readonly outcome: 'could-not-check';
      /**
       * `revocations`: the list could not be read for too long, so nobody knows who was revoked.
       * `user-pattern`: the configured pattern took too long for the name; no word about the user.
       */
      readonly dependency: 'revocations' | 'user-pattern';
      readonly detail?: string;
    };

export interface StampedPod {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly annotations: Readonly<Record<string, string>>;
}

/** Decides which Hadoop user a pod speaks for. `doAs` is what the caller asks to be instead, or undefined. */
export type IdentifyUser = (pod: StampedPod, doAs: string | undefined) => IdentityResult;
