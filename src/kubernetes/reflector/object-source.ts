import { fieldOf } from '../api-reply.ts';
import { KubernetesApiError } from '../kubernetes-api-error.ts';
import { type Reply, ReplyTooLargeError } from '../exchange.ts';
import type { Transport } from '../transport.ts';
import { type CallDescription, errorOfStatus } from '../error-of-status.ts';
import { type ObjectKind, ruleFor } from './object-kind.ts';
import { parseJson } from './watch-events.ts';

/** Half of client-go's: to parse a page of 250 pods of 5 KB blocks the event loop for some 20 ms (`npm run bench`). */
const FIRST_PAGE_LIMIT = 250;
/** An API server that is short of breath may take long. */
const DEFAULT_TIMEOUT_MS = 30_000;

export interface ObjectPage {
  /** As they came over the wire. */
  readonly items: readonly unknown[];
  /** Of the whole list. */
  readonly resourceVersion: string;
  /** Of the next page; undefined: there is none. */
  readonly continueFrom: string | undefined;
}

export interface WatchQuery {
  /** Events after this one are wanted. */
  readonly resourceVersion: string;
  /** After which the API server ends the watch. */
  readonly timeoutSeconds: number;
}

/**
 * LIST and WATCH of the objects of one kind. All reject with KubernetesApiError, `httpStatus` 410 when what they ask
 * for is no longer kept; or with the reason of an aborted signal.
 */
export interface ObjectSource {
  listPage(continueFrom: string | undefined, signal: AbortSignal): Promise<ObjectPage>;
  /** The version of now. */
  readVersion(signal: AbortSignal): Promise<string>;
  /** Resolves when the watch has begun; its body is lines of JSON. Aborting `signal` ends both. */
  openWatch(query: WatchQuery, signal: AbortSignal): Promise<AsyncIterable<Buffer>>;
}

export interface HttpObjectSourceOptions {
  readonly transport: Pick<Transport, 'get' | 'stream'>;
  /** URL of the API server, with a path before `/api` if it has one. */
  readonly server: string;
  readonly of: Pick<ObjectKind<unknown>, 'kind' | 'resource' | 'namespace'>;
  /** As in `kubectl -l`; default all. */
  readonly labelSelector?: string;
  /** As in `kubectl --field-selector`; default all. */
  readonly fieldSelector?: string;
  /** Of a page, or until a watch begins; default {@link DEFAULT_TIMEOUT_MS}. */
  readonly timeoutMs?: number;
}

/** Names and versions alone, where the API server can (all since Kubernetes 1.15): an object may be large, or secret. */
const METADATA_ONLY = 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json';

export function createHttpObjectSource(options: HttpObjectSourceOptions): ObjectSource {
  const {
    transport,
    server,
    of,
    labelSelector = '',
    fieldSelector = '',
    timeoutMs = DEFAULT_TIMEOUT_MS,
  } = options;
  const within = of.namespace === undefined ? '' : `namespaces/${encodeURIComponent(of.namespace)}/`;
  const path = `${server.replace(/\/+$/, '')}/api/v1/${within}${of.resource}`;
  const selectors = {
    ...(labelSelector === '' ? {} : { labelSelector }),
    ...(fieldSelector === '' ? {} : { fieldSelector }),
  };
  let limit = FIRST_PAGE_LIMIT;

  const urlOfAll = (query: Readonly<Record<string, string>>): string => {
    const url = new URL(path);
    url.search = new URLSearchParams(query).toString();
    return url.href;
  };
  const urlOf = (query: Readonly<Record<string, string>>): string => urlOfAll({ ...selectors, ...query });

  /*
   * Without a resourceVersion, which asks for the state of now (quorum, or the API server's cache once it has caught up).
   * `0` would be cheaper, but ignores the limit and may give a state from before the one we have: an API server that was
   * cut off or has just started would bring pods back to life that we know are gone.
   */
  async function listPage(continueFrom: string | undefined, signal: AbortSignal): Promise<ObjectPage> {
    for (;;) {
      const query = {
        limit: String(limit),
        ...(continueFrom === undefined ? {} : { continue: continueFrom }),
      };
      try {
        return readPage(of, await transport.get(urlOf(query), { signal, timeoutMs }));
      } catch (error) {
        if (!(error instanceof ReplyTooLargeError) || limit === 1) throw error;
        // Large objects: smaller pages from now on. A continue token goes with any limit.
        limit = Math.ceil(limit / 2);
      }
    }
  }

  // Without the selectors, for which the API server might have to look through all objects to find one.
  async function readVersion(signal: AbortSignal): Promise<string> {
    const query = urlOfAll({ limit: '1' });
    const reply = await transport.get(query, { signal, timeoutMs, accept: METADATA_ONLY });
    return readPage(of, reply).resourceVersion;
  }

  async function openWatch(query: WatchQuery, signal: AbortSignal): Promise<AsyncIterable<Buffer>> {
    const url = urlOf({
      watch: '1',
      allowWatchBookmarks: 'true',
      resourceVersion: query.resourceVersion,
      timeoutSeconds: String(query.timeoutSeconds),
    });
    const reply = await transport.stream(url, { signal, timeoutMs });
    assertJson(ruleFor(`WATCH ${of.resource}`, of), reply);
    return reply.body;
  }

  return { listPage, readVersion, openWatch };
}

function readPage(of: HttpObjectSourceOptions['of'], reply: Reply): ObjectPage {
  const request = `LIST ${of.resource}`;
  assertJson(ruleFor(request, of), reply);
  const list = parseJson(reply.bytes);
  const items = fieldOf(list, 'items');
  const metadata = fieldOf(list, 'metadata');
  const resourceVersion = fieldOf(metadata, 'resourceVersion');
  const continueFrom = fieldOf(metadata, 'continue') ?? '';
  const kind = fieldOf(list, 'kind');
  if (
    (kind !== `${of.kind}List` && kind !== 'PartialObjectMetadataList') ||
    !Array.isArray(items) ||
    typeof resourceVersion !== 'string' ||
    resourceVersion === '' ||
    typeof continueFrom !== 'string'
  ) {
    throw new KubernetesApiError(
      'bad-reply',
      `${request}: the Kubernetes API sent what is no list of ${of.resource}`,
    );
  }
  return { items, resourceVersion, continueFrom: continueFrom === '' ? undefined : continueFrom };
}

function assertJson(what: CallDescription, reply: Omit<Reply, 'bytes'>): void {
  const { status, contentType, retryAfter } = reply;
  if (status !== 200) throw errorOfStatus(what, status, retryAfter);
  if (!/^application\/json(?:;|$)/.test(contentType)) {
    throw new KubernetesApiError(
      'bad-reply',
      `${what.request}: the reply is not what a Kubernetes API sends`,
    );
  }
}
