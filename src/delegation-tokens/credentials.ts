import type { DelegationToken, TokenService } from './token-service.ts';

/** Where tokens of one kind of one cluster come from, for example the NameNodes of one nameservice. */
export interface TokenSource {
  /** Name of the Hadoop cluster in our configuration. */
  readonly cluster: string;
  /** Name of the source within (cluster, kind), for example the nameservice. */
  readonly name: string;
  readonly kind: string;
  /** Short name of the renewer that its tokens must carry. */
  readonly renewer: string;
  /** The service labels under which clients look the token up: one entry of the credentials file each, at least one. */
  readonly services: readonly string[];
  readonly tokenService: TokenService;
}

/** A token that was issued, checked and may be handed out. */
export interface HeldToken {
  readonly source: TokenSource;
  readonly token: DelegationToken;
  /** ms since the epoch; after this the token is refused unless renewed. */
  readonly expiresAt: bigint;
}

export interface CredentialsSelection {
  /** Default: the first configured cluster. */
  readonly cluster?: string;
  /** Kinds that must be there; default: every kind of the cluster. */
  readonly kinds?: readonly string[];
  /** Kinds that only leave a note when they can't be had. */
  readonly optionalKinds?: readonly string[];
}

export interface CredentialsRequest {
  /** The Hadoop user, short name, already decided by `identity/`. */
  readonly owner: string;
  /** The user that the pod is stamped with, who may ask to be `owner` instead. */
  readonly stampedUser: string;
  /** Namespace of the pod: tokens are shared no wider than that. */
  readonly namespace: string;
  readonly podUid: string;
  readonly selection: CredentialsSelection;
}

/** When a watcher should ask again: about `periodMs` after `since` (ms since the epoch). See `drawRefreshAfter`. */
export interface Refresh {
  readonly since: number;
  readonly periodMs: number;
}

export type CredentialsResult =
  | {
      readonly outcome: 'issued';
      readonly cluster: string;
      readonly tokens: readonly HeldToken[];
      /** One note per optional kind that is missing; the code is a TokenServiceFailure. */
      readonly missing: readonly { readonly kind: string; readonly code: string }[];
      readonly refresh: Refresh;
    }
  | { readonly outcome: 'unknown-cluster'; readonly name: string }
  | { readonly outcome: 'unknown-kind'; readonly name: string };

/**
 * What is in memory is there at once, and is the same object as long as its tokens are the same. Never throws; rejects
 * with TokenServiceError when a required kind can't be had, or with the signal's reason.
 */
export type GetCredentials = (
  request: CredentialsRequest,
  options?: { readonly signal?: AbortSignal },
) => CredentialsResult | Promise<CredentialsResult>;
