import { fieldOf } from '../api-reply.ts';
import { KubernetesApiError } from '../kubernetes-api-error.ts';
import { type Reply, ReplyTooLargeError, type Transport } from '../transport.ts';
import { errorOfStatus } from '../error-of-status.ts';
import { parseJson } from './watch-events.ts';

/** Half of client-go's: to parse a page of 250 pods of 5 KB blocks the event loop for some 20 ms (`npm run bench`). */
const FIRST_PAGE_LIMIT = 250;
/** Of a page, or until a watch begins: an API server that is short of breath may take long for either. */
const TIMEOUT_MS = 30_000;

export interface PodPage {
  /** As they came over the wire. */
  readonly pods: readonly unknown[];
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
 * LIST and WATCH of the pods of all namespaces. All reject with KubernetesApiError, `httpStatus` 410 when what they ask
 * for is no longer kept; or with the reason of an aborted signal.
 */
export interface PodSource {
  listPage(continueFrom: string | undefined, signal: AbortSignal): Promise<PodPage>;
  /** The version of now, of all pods. */
  readVersion(signal: AbortSignal): Promise<string>;
  /** Resolves when the watch has begun; its body is lines of JSON. Aborting `signal` ends both. */
  openWatch(query: WatchQuery, signal: AbortSignal): Promise<AsyncIterable<Buffer>>;
}

export interface HttpPodSourceOptions {
  readonly transport: Pick<Transport, 'get' | 'stream'>;
  /** URL of the API server, with a path before `/api` if it has one. */
  readonly server: string;
  /** As in `kubectl -l`; default all pods. */
  readonly labelSelector?: string;
}

/** Rights needed: `list` and `watch` on `pods`, in all namespaces. */
const RULE = '`list` and `watch` on `pods`';

export function createHttpPodSource(options: HttpPodSourceOptions): PodSource {
  const { transport, server, labelSelector = '' } = options;
  let limit = FIRST_PAGE_LIMIT;

  const urlOfAll = (query: Readonly<Record<string, string>>): string => {
    const url = new URL(`${server.replace(/\/+$/, '')}/api/v1/pods`);
    url.search = new URLSearchParams(query).toString();
    return url.href;
  };
  const urlOf = (query: Readonly<Record<string, string>>): string =>
    urlOfAll({ ...(labelSelector === '' ? {} : { labelSelector }), ...query });

  /*
   * Without a resourceVersion, which asks for the state of now (quorum, or the API server's cache once it has caught up).
   * `0` would be cheaper, but ignores the limit and may give a state from before the one we have: an API server that was
   * cut off or has just started would bring pods back to life that we know are gone.
   */
  async function listPage(continueFrom: string | undefined, signal: AbortSignal): Promise<PodPage> {
    for (;;) {
      const query = {
        limit: String(limit),
        ...(continueFrom === undefined ? {} : { continue: continueFrom }),
      };
      try {
        return readPage(await transport.get(urlOf(query), { signal, timeoutMs: TIMEOUT_MS }));
      } catch (error) {
        if (!(error instanceof ReplyTooLargeError) || limit === 1) throw error;
        // Large pods: smaller pages from now on. A continue token goes with any limit.
        limit = Math.ceil(limit / 2);
      }
    }
  }

  // Without the label selector, for which the API server might have to look through all pods to find one.
  async function readVersion(signal: AbortSignal): Promise<string> {
    const reply = await transport.get(urlOfAll({ limit: '1' }), { signal, timeoutMs: TIMEOUT_MS });
    return readPage(reply).resourceVersion;
  }

  async function openWatch(query: WatchQuery, signal: AbortSignal): Promise<AsyncIterable<Buffer>> {
    const url = urlOf({
      watch: '1',
      allowWatchBookmarks: 'true',
      resourceVersion: query.resourceVersion,
      timeoutSeconds: String(query.timeoutSeconds),
    });
    const reply = await transport.stream(url, { signal, timeoutMs: TIMEOUT_MS });
    assertJson('WATCH pods', reply);
    return reply.body;
  }

  return { listPage, readVersion, openWatch };
}

function readPage(reply: Reply): PodPage {
  assertJson('LIST pods', reply);
  const list = parseJson(reply.bytes);
  const pods = fieldOf(list, 'items');
  const metadata = fieldOf(list, 'metadata');
  const resourceVersion = fieldOf(metadata, 'resourceVersion');
  const continueFrom = fieldOf(metadata, 'continue') ?? '';
  if (
    fieldOf(list, 'kind') !== 'PodList' ||
    !Array.isArray(pods) ||
    typeof resourceVersion !== 'string' ||
    resourceVersion === '' ||
    typeof continueFrom !== 'string'
  ) {
    throw new KubernetesApiError('bad-reply', 'LIST pods: the Kubernetes API sent what is no list of pods');
  }
  return { pods, resourceVersion, continueFrom: continueFrom === '' ? undefined : continueFrom };
}

function assertJson(request: string, reply: Omit<Reply, 'bytes'>): void {
  const { status, contentType, retryAfter } = reply;
  if (status !== 200) throw errorOfStatus({ request, rule: RULE }, status, retryAfter);
  if (!/^application\/json(?:;|$)/.test(contentType)) {
    throw new KubernetesApiError('bad-reply', `${request}: the reply is not what a Kubernetes API sends`);
  }
}
