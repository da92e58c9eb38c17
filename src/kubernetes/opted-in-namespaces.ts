import type { IsOptedIn } from '../admission/decorator-parts.ts';
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

/** Whether a namespace carries the label, by the word of the API server. `get` on `namespaces`. */
export function createOptedInNamespaces(options: OptedInNamespacesOptions): IsOptedIn {
  const { transport, server, label, value, clock } = options;
  const believedUntil = new Map<string, number>();
  return async (namespace, signal) => {
    if ((believedUntil.get(namespace) ?? 0) > clock.uptime()) return true;
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
      if (isGone) return false;
    }
    const json = jsonOfReply(reply);
    if (json === undefined)
      throw errorOfStatus({ request, rule: '`get` on `namespaces`' }, reply.status, reply.retryAfter);
    const metadata = fieldOf(json, 'metadata');
    if (fieldOf(metadata, 'name') !== namespace)
      throw new KubernetesApiError('bad-reply', `${request}: the Kubernetes API sent another object`);
    const labels = fieldOf(metadata, 'labels');
    const isOptedIn =
      typeof labels === 'object' &&
      labels !== null &&
      Object.hasOwn(labels, label) &&
      fieldOf(labels, label) === value;
    if (!isOptedIn) {
      believedUntil.delete(namespace);
      return false;
    }
    if (believedUntil.size >= MAX_NAMESPACES) believedUntil.clear();
    believedUntil.set(namespace, askedAt + BELIEVED_MS);
    return true;
  };
}
