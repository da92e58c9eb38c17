import { fieldOf } from '../api-reply.ts';
import { KubernetesApiError } from '../kubernetes-api-error.ts';
import { errorOfStatus } from '../error-of-status.ts';
import { type ObjectKind, ruleFor } from './object-kind.ts';

/** An object in etcd is at most 1.5 MiB by default. */
const MAX_LINE_BYTES = 8 * 1024 * 1024;
const LINE_FEED = 0x0a;

/** `resourceVersion`: everything up to it has been seen once the event is applied. */
export type WatchEvent<T> =
  /** Added, or changed in whatever way. */
  | { readonly type: 'put'; readonly object: T; readonly resourceVersion: string }
  /** Deleted, or no longer what the selector selects. */
  | { readonly type: 'delete'; readonly object: T; readonly resourceVersion: string }
  | { readonly type: 'bookmark'; readonly resourceVersion: string };

/**
 * Cuts the body of a watch into its lines, wherever its chunks end. The bytes of a line that has no end yet are kept for
 * the next chunk; at the end of the stream they are an event that was not sent whole, and the next watch sends it again.
 */
export class LineSplitter {
  #begun: Buffer[] = [];
  #begunBytes = 0;

  /** The lines that end in this chunk, without their line feeds. Throws KubernetesApiError `bad-reply`. */
  *push(chunk: Buffer): Generator<Buffer> {
    let start = 0;
    for (let end = chunk.indexOf(LINE_FEED); end !== -1; end = chunk.indexOf(LINE_FEED, start)) {
      const last = chunk.subarray(start, end);
      start = end + 1;
      const line = this.#begun.length === 0 ? last : Buffer.concat([...this.#begun, last]);
      this.#begun = [];
      this.#begunBytes = 0;
      yield line;
    }
    if (start === chunk.length) return;
    this.#begun.push(chunk.subarray(start));
    this.#begunBytes += chunk.length - start;
    if (this.#begunBytes > MAX_LINE_BYTES) throw badEvent('WATCH', `of more than ${MAX_LINE_BYTES} bytes`);
  }
}

/**
 * Reads one line of a watch. Throws KubernetesApiError: `bad-reply` for anything that is no event of such an object, and
 * what the API server's ERROR says, 410 Gone among it. Never lets one pass: a change that was not seen is a stale
 * identity.
 */
export function readWatchEvent<T>(line: Buffer, of: ObjectKind<T>): WatchEvent<T> {
  const request = `WATCH ${of.resource}`;
  const event = parseJson(line);
  const type = fieldOf(event, 'type');
  const object = fieldOf(event, 'object');
  if (type === 'ERROR') {
    const code = fieldOf(object, 'code');
    throw errorOfStatus(ruleFor(request, of), typeof code === 'number' ? code : 0);
  }
  const resourceVersion = fieldOf(fieldOf(object, 'metadata'), 'resourceVersion');
  if (fieldOf(object, 'kind') !== of.kind) throw badEvent(request, 'of another kind');
  if (typeof resourceVersion !== 'string' || resourceVersion === '') {
    throw badEvent(request, 'without a resourceVersion');
  }
  switch (type) {
    case 'ADDED':
    case 'MODIFIED':
      return { type: 'put', object: of.read(object), resourceVersion };
    case 'DELETED':
      return { type: 'delete', object: of.read(object), resourceVersion };
    case 'BOOKMARK':
      return { type: 'bookmark', resourceVersion };
    default:
      throw badEvent(request, 'of an unknown type');
  }
}

// Fatal: bytes that are no UTF-8 would be read as replacement characters, in a name or a user.
const utf8 = new TextDecoder('utf-8', { fatal: true });

/** Throws KubernetesApiError `bad-reply`, without what was read. */
export function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(utf8.decode(bytes)) as unknown;
  } catch {
    throw new KubernetesApiError('bad-reply', 'the Kubernetes API sent what is no JSON');
  }
}

function badEvent(request: string, what: string): KubernetesApiError {
  return new KubernetesApiError('bad-reply', `${request}: the Kubernetes API sent an event ${what}`);
}
