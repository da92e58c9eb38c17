import type { JsonPath } from '../patch/json-pointer.ts';

/**
 * What of a custom resource's structural schema says which fields are stored (apiextensions.k8s.io/v1 JSONSchemaProps):
 * what a schema has no word for is dropped by the API server, when all webhooks have seen the object.
 */
export interface StoredSchema {
  readonly properties?: ReadonlyMap<string, StoredSchema>;
  /** Of a map's members; true: whatever they are. */
  readonly additionalProperties?: StoredSchema | true;
  /** Of a list's elements. */
  readonly items?: StoredSchema;
  /** `x-kubernetes-preserve-unknown-fields`: fields without a schema stay. */
  readonly keepsUnknown?: true;
  /** `x-kubernetes-embedded-resource`: has the metadata of every object. */
  readonly isObject?: true;
}

/** Whether what is at that path of an object is stored. The object's own metadata always is. */
export function schemaKeeps(schema: StoredSchema, path: JsonPath): boolean {
  let at = schema;
  let isObject = true;
  for (const segment of path) {
    if (isObject && segment === 'metadata') return true;
    const next = at.properties?.get(segment) ?? at.additionalProperties ?? at.items;
    if (next === true) return true;
    if (next === undefined) return at.keepsUnknown === true;
    at = next;
    isObject = at.isObject === true;
  }
  return true;
}
