import type { GetPod } from '../../authentication/kubernetes-access.ts';
import { type QueuedCallOptions, runQueued } from '../../authentication/queued-call.ts';

/** The same look at a pod, behind a queue. Rejects with KubernetesQueueError too: nobody was asked. */
export function queueGetPod(getPod: GetPod, options: QueuedCallOptions): GetPod {
  return async (namespace, name, { signal: caller } = {}) =>
    await runQueued(
      { name: 'GET pod', namespace },
      (signal) => getPod(namespace, name, { signal }),
      options,
      caller,
    );
}
