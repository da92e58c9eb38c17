import type { PodView } from '../../authentication/kubernetes-access.ts';
import { kidOfPodStamp, verifyPodStamp } from '../../identity/stamps/pod-stamp.ts';
import { POD_STAMP_ANNOTATION, STAMPED_LABEL } from '../../identity/stamps/stamp-annotations.ts';
import type { StampPublicKeys } from '../../identity/stamps/stamp-keys.ts';
import type { KubernetesApi } from '../../kubernetes/kubernetes-api.ts';
import { KubernetesApiError } from '../../kubernetes/kubernetes-api-error.ts';

/** Of the pods of one key. */
export const MAX_NAMED_PODS = 5;

export interface PodsOfKey {
  readonly count: number;
  /** The first few: namespace/name. */
  readonly named: readonly string[];
}

export interface StampedPods {
  /** None: no live pod carries a stamp of it. */
  readonly of: (kid: string) => PodsOfKey;
  /** Live pods with the label whose stamp is none of these keys', is missing, or is that of another pod. */
  readonly unknown: number;
}

const FINISHED_PHASES: readonly string[] = ['Succeeded', 'Failed'];
const NONE: PodsOfKey = { count: 0, named: [] };

/**
 * Which live pods would lose what if a key went. Stamps are verified: in a namespace that doesn't take part anybody can write
 * what looks like one, and would keep a key from ever being retired.
 */
export async function countStampedPods(
  { listPods }: Pick<KubernetesApi, 'listPods'>,
  keys: StampPublicKeys,
): Promise<StampedPods> {
  const byKid = new Map<string, { count: number; named: string[] }>();
  let unknown = 0;
  try {
    for await (const page of listPods(undefined, { labelSelector: `${STAMPED_LABEL}=true` })) {
      for (const pod of page) {
        if (FINISHED_PHASES.includes(pod.phase)) continue;
        const kid = kidOf(pod, keys);
        if (kid === undefined) {
          unknown += 1;
          continue;
        }
        const seen = byKid.get(kid) ?? { count: 0, named: [] };
        seen.count += 1;
        if (seen.named.length < MAX_NAMED_PODS) seen.named.push(`${pod.namespace}/${pod.name}`);
        byKid.set(kid, seen);
      }
    }
  } catch (error) {
    if (!(error instanceof KubernetesApiError) || error.code !== 'forbidden') throw error;
    throw new KubernetesApiError(error.code, error.message, {
      fix: 'grant `list` on `pods` in all namespaces with a ClusterRole',
    });
  }
  return { of: (kid) => byKid.get(kid) ?? NONE, unknown };
}

/** undefined: `serve` believes nothing of it anyhow. */
function kidOf({ namespace, name, annotations }: PodView, keys: StampPublicKeys): string | undefined {
  const text = Object.hasOwn(annotations, POD_STAMP_ANNOTATION)
    ? annotations[POD_STAMP_ANNOTATION]
    : undefined;
  if (text === undefined) return undefined;
  const opened = verifyPodStamp(text, keys);
  if (opened.outcome !== 'valid') return undefined;
  const { stamp } = opened;
  return stamp.namespace === namespace && stamp.podName === name ? kidOfPodStamp(text) : undefined;
}
