import type { Clock } from '../time/clock.ts';
import { Secret } from '../observability/secret.ts';
import { fieldOf, isStatusAbout } from './api-reply.ts';
import { type CallDescription, errorOfStatus } from './error-of-status.ts';
import { jsonOfReply } from './json-of-reply.ts';
import { KubernetesApiError } from './kubernetes-api-error.ts';
import type { Signalled } from './operator-calls.ts';
import type { ObjectKind } from './reflector/object-kind.ts';
import { createHttpObjectSource } from './reflector/object-source.ts';
import {
  createReflector,
  type Reflector,
  type ReflectorEvent,
  type ReflectorTarget,
  type ReflectorTiming,
} from './reflector/reflector.ts';
import type { Reply } from './exchange.ts';
import type { Transport } from './transport.ts';

/** Of all values of a Secret together (`MaxSecretSize` in Kubernetes' core/v1). */
export const MAX_SECRET_BYTES = 1024 * 1024;

/**
 * What is known must not be older than 30 s, while nobody may have written anything for days. The API server sends a bookmark two
 * seconds before a watch's own time-out (`nextBookmarkTime` in its storage/cacher), so short watches prove every few
 * seconds that nothing is missing, without a list. Where it doesn't, a list does.
 */
const TIMING: ReflectorTiming = {
  silenceLimitMs: 10_000,
  watchSeconds: { least: 6, most: 6 },
  overdueMs: 5_000,
  questionIntervalMs: 2_000,
  // No watch lives so long: the next one isn't begun.
  behindMs: 15_000,
  maxLagMs: 15_000,
  retryCapMs: 5_000,
};
/** Of a page, or until a watch begins. */
const READ_TIMEOUT_MS = 10_000;

/** A whole object of that moment: both change when it is deleted and made anew. */
export interface SecretVersion {
  readonly uid: string;
  readonly resourceVersion: string;
}

export interface SecretRecord extends SecretVersion {
  readonly name: string;
  /** undefined: it is of another type, has no such key, or what it has is no text. */
  readonly text: Secret<string> | undefined;
}

/** With what else is on it, for who writes it back. */
export interface FoundSecret extends SecretRecord {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface SecretContent {
  readonly text: Secret<string>;
  readonly annotations: Readonly<Record<string, string>>;
  /** Beside those that all of these Secrets have. */
  readonly labels?: Readonly<Record<string, string>>;
}

/**
 * Secrets of one type in one namespace, each with one text. All reject with KubernetesApiError, or with the reason of an
 * aborted signal. Each call that changes something is sent once: after `unreachable`, `timeout` and `server-error` nobody
 * knows if it was done, and after every other outcome it is as it says.
 */
export interface SecretRecords {
  /** Now, not before the call. undefined: the API server says that there is none. `get` on `secrets`. */
  readonly get: (name: string, options?: Signalled) => Promise<FoundSecret | undefined>;
  /** undefined: there is one already, and nothing was written. `create` on `secrets`. */
  readonly create: (
    name: string,
    content: SecretContent,
    options?: Signalled,
  ) => Promise<SecretRecord | undefined>;
  /**
   * All of it: what `content` doesn't name is not on it any more. undefined: it is gone or of another version, and nothing
   * was written. `update` on `secrets`.
   */
  readonly replace: (
    name: string,
    expected: SecretVersion,
    content: SecretContent,
    options?: Signalled,
  ) => Promise<SecretRecord | undefined>;
  /** False: it is gone or of another version, and nothing was removed. `delete` on `secrets`. */
  readonly remove: (name: string, expected: SecretVersion, options?: Signalled) => Promise<boolean>;
  /** `list` and `watch` on `secrets`. */
  readonly createReflector: (options: {
    readonly target: ReflectorTarget<SecretRecord>;
    readonly clock: Clock;
    readonly random: () => number;
    readonly onEvent?: (event: ReflectorEvent) => void;
  }) => Reflector;
}

export interface SecretRecordsOptions {
  readonly namespace: string;
  /** `type` of the Secrets. */
  readonly type: string;
  /** The key of their data. */
  readonly key: string;
  readonly labels: Readonly<Record<string, string>>;
}

export function createSecretRecords(
  { namespace, type, key, labels }: SecretRecordsOptions,
  { transport, server }: { readonly transport: Transport; readonly server: string },
): SecretRecords {
  const all = `${server.replace(/\/+$/, '')}/api/v1/namespaces/${encodeURIComponent(namespace)}/secrets`;
  const urlOf = (name: string): string => `${all}/${encodeURIComponent(name)}`;

  const of: ObjectKind<SecretRecord> = {
    kind: 'Secret',
    resource: 'secrets',
    namespace,
    read: (object) => readSecret(object, { type, key }),
  };

  const bodyOf = (name: string, content: SecretContent, version?: SecretVersion): string =>
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: {
        name,
        labels: { ...content.labels, ...labels },
        annotations: content.annotations,
        // Only these: it may be a whole record, with marks of before.
        uid: version?.uid,
        resourceVersion: version?.resourceVersion,
      },
      type,
      data: { [key]: Buffer.from(content.text.reveal()).toString('base64') },
    });

  const describe = (verb: string, name: string): CallDescription => {
    const rule = `\`${verb}\` on \`secrets\` in namespace \`${namespace}\``;
    return {
      request: `${verb.toUpperCase()} Secret ${namespace}/${name}`,
      rule,
      fixes: {
        403: `grant our service account ${rule} with a Role; else a quota or an admission rule forbids it`,
        404: `is there a namespace ${namespace}? name Kerbridge's own`,
        422: 'is the Secret immutable, or held to another form by an admission rule?',
      },
    };
  };

  /** The object that the API server answers with, or undefined for one of `others`: its word about this Secret. */
  function read(
    reply: Reply,
    what: CallDescription,
    name: string,
    others: Readonly<Record<number, string>>,
  ): unknown {
    const json = jsonOfReply(reply);
    if (json !== undefined) return json;
    const { status, retryAfter, bytes } = reply;
    const reason = others[status];
    const body = bytes.toString();
    if (reason !== undefined && KINDS.some((kind) => isStatusAbout(body, { reason, kind, name }))) {
      return undefined;
    }
    throw errorOfStatus(what, status, retryAfter);
  }

  function toRecord(object: unknown, name: string, { request }: CallDescription): SecretRecord | undefined {
    if (object === undefined) return undefined;
    if (fieldOf(object, 'kind') !== 'Secret') throw badReply(`${request}: the Kubernetes API sent no Secret`);
    const record = of.read(object);
    if (record.name !== name || fieldOf(fieldOf(object, 'metadata'), 'namespace') !== namespace) {
      throw badReply(`${request}: the Kubernetes API sent another Secret`);
    }
    return record;
  }

  return {
    get: async (name, { signal } = {}) => {
      const what = describe('get', name);
      const reply = await transport.get(urlOf(name), { signal });
      const object = read(reply, what, name, { 404: 'NotFound' });
      const record = toRecord(object, name, what);
      return record === undefined ? undefined : { ...record, ...readMarks(object) };
    },
    create: async (name, content, { signal } = {}) => {
      const what = describe('create', name);
      const body = bodyOf(name, content);
      const reply = await transport.send({ method: 'POST', url: all, body, signal });
      return toRecord(read(reply, what, name, { 409: 'AlreadyExists' }), name, what);
    },
    replace: async (name, expected, content, { signal } = {}) => {
      const what = describe('update', name);
      const body = bodyOf(name, content, expected);
      const reply = await transport.send({ method: 'PUT', url: urlOf(name), body, signal });
      return toRecord(read(reply, what, name, GONE_OR_CHANGED), name, what);
    },
    remove: async (name, { uid, resourceVersion }, { signal } = {}) => {
      const what = describe('delete', name);
      const preconditions = { uid, resourceVersion };
      const body = JSON.stringify({ apiVersion: 'v1', kind: 'DeleteOptions', preconditions });
      const reply = await transport.send({ method: 'DELETE', url: urlOf(name), body, signal });
      return read(reply, what, name, GONE_OR_CHANGED) !== undefined;
    },
    createReflector: (options) =>
      createReflector({
        ...options,
        of,
        timing: TIMING,
        source: createHttpObjectSource({
          transport,
          server,
          of,
          fieldSelector: `type=${type}`,
          timeoutMs: READ_TIMEOUT_MS,
        }),
      }),
  };
}

/** How the API server (1.36) names what a Status is about: the second when a precondition of a DELETE does not hold. */
const KINDS = ['secrets', 'Secret'];

const GONE_OR_CHANGED = { 404: 'NotFound', 409: 'Conflict' } as const;

/** Throws KubernetesApiError `bad-reply` for what is no Secret; what is in it is for whoever knows its form. */
function readSecret(
  object: unknown,
  { type, key }: Pick<SecretRecordsOptions, 'type' | 'key'>,
): SecretRecord {
  const metadata = fieldOf(object, 'metadata');
  const name = fieldOf(metadata, 'name');
  const uid = fieldOf(metadata, 'uid');
  const resourceVersion = fieldOf(metadata, 'resourceVersion');
  if (!isFilled(name) || !isFilled(uid) || !isFilled(resourceVersion)) {
    throw badReply('the Kubernetes API sent a Secret without a name, a UID or a version');
  }
  const isOurs = fieldOf(object, 'type') === type;
  const text = isOurs ? textOf(fieldOf(fieldOf(object, 'data'), key)) : undefined;
  return { name, uid, resourceVersion, text: text === undefined ? undefined : new Secret(text) };
}

function readMarks(secret: unknown): Pick<FoundSecret, 'labels' | 'annotations'> {
  const metadata = fieldOf(secret, 'metadata');
  const texts = (field: string): Record<string, string> => {
    const entries = Object.entries(fieldOf(metadata, field) ?? {});
    if (!entries.every((entry): entry is [string, string] => typeof entry[1] === 'string')) {
      throw badReply(`the Kubernetes API sent a Secret with malformed ${field}`);
    }
    return Object.fromEntries(entries);
  };
  return { labels: texts('labels'), annotations: texts('annotations') };
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function textOf(base64: unknown): string | undefined {
  if (typeof base64 !== 'string') return undefined;
  try {
    return utf8.decode(Buffer.from(base64, 'base64'));
  } catch {
    return undefined;
  }
}

function isFilled(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

function badReply(message: string): KubernetesApiError {
  return new KubernetesApiError('bad-reply', message);
}
