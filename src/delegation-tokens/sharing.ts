import type { TokenScope } from './token-record.ts';

/** What becomes of a token when nobody may hold it any more. */
export type CancelPolicy =
  | 'when-unused'
  /** It is renewed until its end: work that was handed over, to YARN for example, may outlive every pod. */
  | 'never';

/** How widely tokens are shared, and whether they are cancelled: as configured. */
export interface Sharing {
  readonly scopeOf: (namespace: string, stampedUser: string) => TokenScope['type'];
  /** Of tokens that are shared by all namespaces (undefined): `never` if it is that in any of them. */
  readonly cancelPolicyOf: (namespace: string | undefined, stampedUser: string) => CancelPolicy;
}

/** In force unless something else is configured. */
export const DEFAULT_SHARING: Sharing = {
  scopeOf: () => 'namespace',
  cancelPolicyOf: () => 'when-unused',
};
