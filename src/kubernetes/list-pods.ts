import type { PodView } from '../authentication/kubernetes-access.ts';
import { POD } from './pod-reflector/pod-reflector.ts';
import { createHttpObjectSource } from './reflector/object-source.ts';
import type { Transport } from './transport.ts';

export interface ListPodsOptions {
  readonly transport: Pick<Transport, 'get' | 'stream'>;
  readonly server: string;
  /** undefined: all. */
  readonly namespace: string | undefined;
  /** As in `kubectl -l`; empty: all. */
  readonly labelSelector: string;
  readonly signal: AbortSignal | undefined;
}

/** See `KubernetesApi.listPods`. Each page is a call of its own, so that other work gets its turn between two of them. */
export async function* listPods(options: ListPodsOptions): AsyncGenerator<readonly PodView[]> {
  const { transport, server, namespace, labelSelector, signal = new AbortController().signal } = options;
  const of = namespace === undefined ? POD : { ...POD, namespace };
  const source = createHttpObjectSource({ transport, server, of, labelSelector });
  let continueFrom: string | undefined;
  do {
    const page = await source.listPage(continueFrom, signal);
    yield page.items.map(POD.read);
    continueFrom = page.continueFrom;
  } while (continueFrom !== undefined);
}
