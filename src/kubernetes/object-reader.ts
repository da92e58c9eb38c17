import type { FoundObject, JsonObject, ObjectId, ReadObject } from '../admission/look-ups.ts';
import type { Clock } from '../time/clock.ts';
import { fieldOf, isStatusAbout } from './api-reply.ts';
import { type CallDescription, errorOfStatus } from './error-of-status.ts';
import { jsonOfReply } from './json-of-reply.ts';
import { KubernetesApiError } from './kubernetes-api-error.ts';
import type { Reply } from './exchange.ts';
import type { Transport } from './transport.ts';

/** Whoever makes a pod writes its owner references, so what is asked for may be nonsense. */
const MAX_GROUP_VERSIONS = 200;
/** How long the list of a group's resources is believed when it lacks a kind: a CRD may have come since. */
const MISSING_KIND_MS = 5_000;
/** DNS subdomain and version of a group (apimachinery's validation), or the core group's version alone. */
const GROUP_VERSION = /^(?:([a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?)\/)?([a-z0-9][-a-z0-9]{0,62})$/;

export interface ObjectReaderOptions {
  readonly transport: Pick<Transport, 'get'>;
  readonly server: string;
  readonly clock: Clock;
}

interface Resources {
  readonly readAt: number;
  /** Plural by kind, of what has a namespace. */
  readonly byKind: ReadonlyMap<string, string>;
}

/** Reads an object by its kind, whose resource it looks up in the API server's own list. `get` on that resource. */
export function createObjectReader({ transport, server, clock }: ObjectReaderOptions): ReadObject {
  const known = new Map<string, Resources>();

  const resourcesOf = async (path: string, signal: AbortSignal): Promise<Resources> => {
    const reply = await transport.get(server + path, { signal });
    const readAt = clock.uptime();
    if (reply.status === 404) return { readAt, byKind: new Map() };
    const what = { request: `GET ${path}`, rule: `\`get\` on \`${path}\`` };
    return { readAt, byKind: readResources(readJson(reply, what), what) };
  };

  const pluralOf = async (path: string, kind: string, signal: AbortSignal): Promise<string | undefined> => {
    const before = known.get(path);
    const plural = before?.byKind.get(kind);
    if (plural !== undefined) return plural;
    if (before !== undefined && clock.uptime() - before.readAt < MISSING_KIND_MS) return undefined;
    const now = await resourcesOf(path, signal);
    if (known.size >= MAX_GROUP_VERSIONS) known.clear();
    known.set(path, now);
    return now.byKind.get(kind);
  };

  return async (id, { signal }) => {
    const path = pathOf(id.apiVersion);
    if (path === undefined) return undefined;
    const plural = await pluralOf(path, id.kind, signal);
    if (plural === undefined) return undefined;
    const object = await read(id, `${path}/namespaces`, plural, signal);
    const [group = '', version] = id.apiVersion.split('/');
    const resource = { group: version === undefined ? '' : group, resource: plural };
    return object === undefined ? undefined : ({ resource, object } satisfies FoundObject);
  };

  async function read(
    { namespace, name }: ObjectId,
    path: string,
    plural: string,
    signal: AbortSignal,
  ): Promise<JsonObject | undefined> {
    const url = `${server}${path}/${encodeURIComponent(namespace)}/${plural}/${encodeURIComponent(name)}`;
    const reply = await transport.get(url, { signal });
    const what = { request: `GET ${plural} ${namespace}/${name}`, rule: `\`get\` on \`${plural}\`` };
    const body = reply.bytes.toString('utf8');
    if (reply.status === 404 && isStatusAbout(body, { reason: 'NotFound', kind: plural, name }))
      return undefined;
    const object = readJson(reply, what);
    const metadata = object['metadata'];
    if (fieldOf(metadata, 'name') !== name || fieldOf(metadata, 'namespace') !== namespace)
      throw new KubernetesApiError('bad-reply', `${what.request}: the Kubernetes API sent another object`);
    return object;
  }
}

/** undefined: no group version at all. */
function pathOf(apiVersion: string): string | undefined {
  const [, group, version] = GROUP_VERSION.exec(apiVersion) ?? [];
  if (version === undefined) return undefined;
  return group === undefined ? `/api/${version}` : `/apis/${group}/${version}`;
}

function readJson(reply: Reply, what: CallDescription): JsonObject {
  const value = jsonOfReply(reply);
  if (value === undefined) throw errorOfStatus(what, reply.status, reply.retryAfter);
  if (!isObject(value)) throw noAnswer(what);
  return value;
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** An APIResourceList. Subresources have a slash in their name. */
function readResources(list: JsonObject, what: CallDescription): ReadonlyMap<string, string> {
  const { resources } = list;
  if (!Array.isArray(resources)) throw noAnswer(what);
  const byKind = new Map<string, string>();
  for (const each of resources as readonly unknown[]) {
    const name = fieldOf(each, 'name');
    const kind = fieldOf(each, 'kind');
    if (typeof name !== 'string' || typeof kind !== 'string' || name.includes('/')) continue;
    if (fieldOf(each, 'namespaced') === true && !byKind.has(kind)) byKind.set(kind, name);
  }
  return byKind;
}

function noAnswer({ request }: CallDescription): KubernetesApiError {
  return new KubernetesApiError('bad-reply', `${request}: the reply is not what a Kubernetes API sends`);
}
