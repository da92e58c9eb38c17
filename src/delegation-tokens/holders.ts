/** A pod that has not ended (a terminating one has not), as far as holding tokens goes. */
export interface HolderPod {
  readonly namespace: string;
  readonly uid: string;
  /** As its annotation says, whether that is a user or not; undefined: it has none and gets no tokens. */
  readonly stampedUser: string | undefined;
  /** `metadata.creationTimestamp`, by the API server's clock, whole seconds: ms since the epoch. */
  readonly createdAt: number;
}

/** Who may hold tokens. Owned by the core; the composition root makes it from the Kubernetes API. */
export interface PodHolders {
  /** All namespaces, as last seen; may be behind. undefined: can't be vouched for now. */
  readonly lastSeen: () => Iterable<HolderPod> | undefined;
  /**
   * Of one namespace, or of all (undefined), as the API server has them at a moment not before the call: no pod that was
   * there then is missing. Rejects when it could not be asked.
   */
  readonly listNow: (
    namespace: string | undefined,
    options?: { readonly signal?: AbortSignal },
  ) => Promise<readonly HolderPod[]>;
}
