import { parsePublicKeys } from '../../identity/stamps/read-stamp-keys.ts';
import type { KubernetesApi } from '../../kubernetes/kubernetes-api.ts';
import { STAMP_KEYS_KEY } from '../decorate/stamp-key-secret.ts';
import type { ObjectId } from '../operator/operator-command.ts';

/**
 * What `decorate` has published lies this long in the ConfigMap before it is built on: kubelets bring it to `serve` in a
 * minute or two, and every replica of `decorate` has looked by then.
 */
export const SETTLING_MS = 5 * 60_000;

/** The ConfigMap with the public part. */
export interface PublishedKeys {
  /** In their order: the first signs, as far as who wrote it knew. Empty: there are none, or what is there is damaged. */
  readonly kids: readonly string[];
  /** undefined: the API server doesn't say. */
  readonly writtenAt: number | undefined;
  /** When it was read. Both times are the API server's. */
  readonly readAt: number;
}

export async function readPublishedKeys(
  kubernetes: Pick<KubernetesApi, 'getConfigMap' | 'serverTime'>,
  id: ObjectId,
): Promise<PublishedKeys> {
  const found = await kubernetes.getConfigMap(id);
  const readAt = kubernetes.serverTime();
  const read = parsePublicKeys(found?.data[STAMP_KEYS_KEY] ?? '');
  const kids = read.ok ? read.keys.keys.map(({ kid }) => kid) : [];
  return { kids, writtenAt: found?.dataWrittenAt, readAt };
}

/** From when on it is old enough; undefined: it is. */
export function settlesAt({ writtenAt, readAt }: PublishedKeys): number | 'unknown' | undefined {
  if (writtenAt === undefined) return 'unknown';
  const settled = writtenAt + SETTLING_MS;
  return readAt < settled ? settled : undefined;
}
