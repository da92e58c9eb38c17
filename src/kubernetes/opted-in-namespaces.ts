import type { OptedInNamespace } from '../admission/decorator-parts.ts';
import type { Clock } from '../time/clock.ts';
import { fieldOf, isStatusAbout } from './api-reply.ts';
import { errorOfStatus } from './error-of-status.ts';
import { jsonOfReply } from './json-of-reply.ts';
import { KubernetesApiError } from './kubernetes-api-error.ts';
import type { Transport } from './transport.ts';

/** A yes is believed so long: each pod asks several times. A no is not kept, as the label may come at any moment. */
const BELIEVED_MS = 5_000;
const MAX_NAMESPACES = 10_000;

export interface OptedInNamespacesOptions {
  readonly transport: Pick<Transport, 'get'>;
  readonly server: string;
  readonly label: string;
  readonly value: string;
  readonly clock: Clock;
}

/** The UID of a namespace that carries the label, by the word of the API server. `get` on `namespaces`. */
export function createOptedInNamespaces(options: OptedInNamespacesOptions): OptedInNamespace {
  const { transport, server, label, value, clock } = options;
  const believed = new Map<string, { readonly uid: string; readonly until: number }>();
  return async (namespace, signal) => {
    const known = believed.get(namespace);
    if (known !== undefined && known.until > clock.uptime()) return known.uid;
    const askedAt = clock.uptime();
    const reply = await transport.get(`${server}/api/v1/namespaces/${encodeURIComponent(namespace)}`, {
      signal,
    });
    const request = `GET namespace ${namespace}`;
    if (reply.status === 404) {
      const isGone = isStatusAbout(reply.bytes.toString('utf8'), {
        reason: 'NotFound',
        kind: 'namespaces',
        name: namespace,
      });
      if (isGone) return undefined;
    }
    const json = jsonOfReply(reply);
    if (json === undefined)
      throw errorOfStatus({ request, rule: '`get` on `namespaces`' }, reply.status, reply.retryAfter);
    const metadata = fieldOf(json, 'metadata');
    const uid = fieldOf(metadata, 'uid');
    if (fieldOf(metadata, 'name') !== namespace || typeof uid !== 'string' || uid === '')
      throw new KubernetesApiError('bad-reply', `${request}: the Kubernetes API sent another object`);
    const labels = fieldOf(metadata, 'labels');
    const isOptedIn =
      typeof labels === 'object' &&
      labels !== null &&
      Object.hasOwn(labels, label) &&
      fieldOf(labels, label) === value;
    if (!isOptedIn) {
      believed.delete(namespace);
      return undefined;
    }
    if (believed.size >= MAX_NAMESPACES) believed.clear();
    believed.set(namespace, { uid, until: askedAt + BELIEVED_MS });
    return uid;
  };
}
