import type { TokenSource } from './credentials.ts';
import { slotKey } from './live-token.ts';
import { scopeOf } from './live-tokens.ts';
import type { Sharing } from './sharing.ts';
import type { RecordId, TokenScope } from './token-record.ts';

export interface TokenRequest {
  readonly source: TokenSource;
  readonly owner: string;
  /** The user stamped on the pod: the owner, or who asks to be the owner. */
  readonly stampedUser: string;
  /** Of the asking pod. */
  readonly namespace: string;
  readonly podUid: string;
}

/** Who shares the token that answers it. */
export function scopeOfRequest(request: TokenRequest, sharing: Sharing): TokenScope {
  return scopeOf(sharing.scopeOf(request.namespace, request.stampedUser), request);
}

export function recordIdOf(request: TokenRequest, sharing: Sharing): RecordId {
  const isShared = scopeOfRequest(request, sharing).type === 'user';
  return { namespace: isShared ? undefined : request.namespace, owner: request.owner };
}

/** Among those of its source. */
export function slotKeyOf(request: TokenRequest, sharing: Sharing): string {
  return slotKey(request.owner, request.stampedUser, scopeOfRequest(request, sharing));
}

/** Requests with the same key can be answered by the same token. */
export function flightKeyOf(request: TokenRequest, sharing: Sharing): string {
  const { cluster, kind, name, renewer } = request.source;
  return JSON.stringify([cluster, kind, name, renewer, slotKeyOf(request, sharing)]);
}
