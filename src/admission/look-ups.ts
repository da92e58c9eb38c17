import type { JsonMap } from './patch/json-value.ts';
import type { StoredSchema } from './templates/schema-keeps.ts';

/** A JSON object as the API server sent it: nothing of it is believed before it was looked at. */
export type JsonObject = JsonMap;

/** The group is empty for the core group, `resource` is the plural. */
export interface ResourceName {
  readonly group: string;
  readonly resource: string;
}

export interface FoundObject {
  readonly resource: ResourceName;
  readonly object: JsonObject;
}

/** One object of a namespace. */
export interface ObjectId {
  /** `apps/v1`, of the core group `v1`. */
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

/**
 * The object as it is now. undefined: the API server says that there is none, or knows no such kind. Rejects when it could
 * not be asked.
 */
export type ReadObject = (
  id: ObjectId,
  options: { readonly signal: AbortSignal },
) => Promise<FoundObject | undefined>;

/**
 * The schemas that decide what of a custom resource is stored: that of the version, and of the one in etcd. None where there
 * is no definition of that name. Rejects when it could not be asked.
 */
export type ReadStoredSchemas = (
  of: ResourceName & { readonly version: string },
  options: { readonly signal: AbortSignal },
) => Promise<readonly StoredSchema[]>;
