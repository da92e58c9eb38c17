import type { JsonMap } from '../patch/json-value.ts';

/** What JSON.parse makes. Tenants write it: a key may be `__proto__`, an own property like any other, so never copy one by assignment. */
export type JsonObject = JsonMap;

export const OPERATIONS = ['CREATE', 'UPDATE', 'DELETE', 'CONNECT'] as const;
export type Operation = (typeof OPERATIONS)[number];

/** The group is empty for the core group. */
export interface GroupVersionKind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

export interface GroupVersionResource {
  readonly group: string;
  readonly version: string;
  readonly resource: string;
}

/** Who asks, by the word of the API server. */
export interface UserInfo {
  readonly username: string;
  /** Absent for impersonated accounts, among others. */
  readonly uid: string | undefined;
  readonly groups: readonly string[];
  /** Without a prototype: every key is a caller's or an authenticator's. */
  readonly extra: Readonly<Record<string, readonly string[]>>;
}

/** One review as Kubernetes' admission/v1 has it. Made anew for each request; nothing in it is shared with another. */
export interface AdmissionRequest {
  /** Of the review, not of an object. */
  readonly uid: string;
  readonly kind: GroupVersionKind;
  readonly resource: GroupVersionResource;
  readonly subResource: string | undefined;
  /** What was asked for, where a webhook's matchPolicy had it converted; else as without `request`. */
  readonly requestKind: GroupVersionKind;
  readonly requestResource: GroupVersionResource;
  readonly requestSubResource: string | undefined;
  /** undefined: generateName before the name is made. */
  readonly name: string | undefined;
  /** undefined: not in a namespace. */
  readonly namespace: string | undefined;
  readonly operation: Operation;
  readonly userInfo: UserInfo;
  /** There on CREATE and UPDATE. */
  readonly object: JsonObject | undefined;
  /** There on UPDATE; on DELETE if the server has it. */
  readonly oldObject: JsonObject | undefined;
  readonly options: JsonObject | undefined;
  readonly dryRun: boolean;
}
