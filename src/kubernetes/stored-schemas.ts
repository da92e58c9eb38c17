import type { ReadStoredSchemas } from '../admission/look-ups.ts';
import { isCustomGroup } from '../admission/object-metadata.ts';
import type { StoredSchema } from '../admission/templates/schema-keeps.ts';
import type { Clock } from '../time/clock.ts';
import { fieldOf } from './api-reply.ts';
import { errorOfStatus } from './error-of-status.ts';
import { jsonOfReply } from './json-of-reply.ts';
import type { Transport } from './transport.ts';

const PATH = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions/';
/** A definition changes with a new version of its operator. */
const BELIEVED_MS = 300_000;
const MAX_RESOURCES = 200;
/** Deeper ones are taken for kept: nobody is warned of what isn't known. */
const MAX_DEPTH = 60;
const KEPT: StoredSchema = { keepsUnknown: true };

export interface StoredSchemasOptions {
  readonly transport: Pick<Transport, 'get'>;
  readonly server: string;
  readonly clock: Clock;
}

/** `get` on `customresourcedefinitions`. */
export function createStoredSchemas(options: StoredSchemasOptions): ReadStoredSchemas {
  const { transport, server, clock } = options;
  const known = new Map<string, { readonly readAt: number; readonly versions: readonly Version[] }>();
  return async ({ group, version, resource }, { signal }) => {
    if (!isCustomGroup(group)) return [];
    const name = `${resource}.${group}`;
    let found = known.get(name);
    if (found === undefined || clock.uptime() - found.readAt > BELIEVED_MS) {
      const readAt = clock.uptime();
      const reply = await transport.get(`${server}${PATH}${encodeURIComponent(name)}`, { signal });
      found = { readAt, versions: reply.status === 404 ? [] : versionsIn(jsonOfReply(reply)) };
      if (reply.status !== 404 && found.versions.length === 0)
        throw errorOfStatus(
          { request: `GET customresourcedefinition ${name}`, rule: '`get` on `customresourcedefinitions`' },
          reply.status,
          reply.retryAfter,
        );
      if (known.size >= MAX_RESOURCES) known.clear();
      known.set(name, found);
    }
    return found.versions
      .filter((each) => each.isStored || each.name === version)
      .map(({ schema }) => schema);
  };
}

interface Version {
  readonly name: unknown;
  readonly isStored: boolean;
  readonly schema: StoredSchema;
}

function versionsIn(definition: unknown): readonly Version[] {
  const spec = fieldOf(definition, 'spec');
  const versions = fieldOf(spec, 'versions');
  if (!Array.isArray(versions)) return [];
  const keepsAll = fieldOf(spec, 'preserveUnknownFields') === true;
  return (versions as readonly unknown[]).map((each) => ({
    name: fieldOf(each, 'name'),
    isStored: fieldOf(each, 'storage') === true,
    schema: keepsAll ? KEPT : readSchema(fieldOf(fieldOf(each, 'schema'), 'openAPIV3Schema'), 0),
  }));
}

/** Without its texts, which are most of it. */
function readSchema(schema: unknown, depth: number): StoredSchema {
  if (typeof schema !== 'object' || schema === null || depth > MAX_DEPTH) return KEPT;
  const properties = fieldOf(schema, 'properties');
  const additional = fieldOf(schema, 'additionalProperties');
  const items = fieldOf(schema, 'items');
  return {
    ...(typeof properties === 'object' && properties !== null
      ? {
          properties: new Map(
            Object.entries(properties).map(([key, each]) => [key, readSchema(each, depth + 1)]),
          ),
        }
      : {}),
    ...(additional === true ? { additionalProperties: true } : {}),
    ...(isObject(additional) ? { additionalProperties: readSchema(additional, depth + 1) } : {}),
    ...(isObject(items) ? { items: readSchema(items, depth + 1) } : {}),
    ...(fieldOf(schema, 'x-kubernetes-preserve-unknown-fields') === true ? { keepsUnknown: true } : {}),
    ...(fieldOf(schema, 'x-kubernetes-embedded-resource') === true ? { isObject: true } : {}),
  };
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
