import type { PodView } from '../../authentication/kubernetes-access.ts';
import type { HolderPod, PodHolders } from '../../delegation-tokens/holders.ts';
import type { KubernetesApi } from '../../kubernetes/kubernetes-api.ts';
import type { PodReflector } from '../../kubernetes/pod-reflector/pod-reflector.ts';

export interface PodHoldersOptions {
  readonly reflector: Pick<PodReflector, 'list' | 'state'>;
  readonly listPods: KubernetesApi['listPods'];
  /** The one that names the user. */
  readonly annotation: string;
}

/** From the reflector while it can be vouched for, and from the API server itself where nothing may be missing. */
export function buildPodHolders({ reflector, listPods, annotation }: PodHoldersOptions): PodHolders {
  return {
    lastSeen: () => (reflector.state().fresh ? holdersOf(reflector.list(), annotation) : undefined),
    listNow: async (namespace, options) => {
      const holders: HolderPod[] = [];
      for await (const page of listPods(namespace, options)) holders.push(...holdersOf(page, annotation));
      return holders;
    },
  };
}

function* holdersOf(pods: Iterable<PodView>, annotation: string): Generator<HolderPod> {
  for (const { namespace, uid, phase, createdAt, annotations } of pods) {
    // For good: none comes back from there. A terminating pod still works, until its grace period is over and longer.
    if (phase === 'Succeeded' || phase === 'Failed') continue;
    const stampedUser = Object.hasOwn(annotations, annotation) ? annotations[annotation] : undefined;
    yield { namespace, uid, stampedUser, createdAt };
  }
}
