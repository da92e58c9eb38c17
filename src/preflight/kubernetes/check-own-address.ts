import type { KubernetesApi } from '../../kubernetes/kubernetes-api.ts';
import type { Finding } from '../finding.ts';
import { ok, skipped, type Subject, warning } from '../say.ts';
import { explainKubernetes } from './explain-kubernetes.ts';

export const OWN_ADDRESS: Subject = { id: 'source-address', title: 'Addresses of pods' };

export interface OwnAddressOptions extends Pick<KubernetesApi, 'getPod'> {
  readonly checkSourceAddress: boolean;
  /** The pod this runs in; undefined: in none. */
  readonly pod: { readonly namespace: string; readonly name: string } | undefined;
  /** Those that this process has, loopback left out. */
  readonly addresses: () => readonly string[];
}

const ANYWHERE =
  'kubernetes.checkSourceAddress is false: a token that was copied out of its pod is accepted from anywhere';

/**
 * Whether what the API server says of a pod's addresses is so, at the only pod that we can tell of: this one. That they
 * also arrive at `serve` as they left depends on what is on the way.
 */
export async function checkOwnAddress(
  { checkSourceAddress, pod, addresses, getPod }: OwnAddressOptions,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  if (!checkSourceAddress) {
    const fix =
      'Set it to true where addresses of pods arrive unchanged (a ClusterIP Service keeps them), or where a trusted proxy tells them (listen.trustedProxies)';
    return [warning(OWN_ADDRESS, ANYWHERE, fix)];
  }
  if (pod === undefined) {
    return [
      skipped(
        OWN_ADDRESS,
        'this is no pod: run the check as a Job in the cluster (deploy/overlays/quick-start-check)',
      ),
    ];
  }
  const name = `${pod.namespace}/${pod.name}`;
  try {
    const found = await getPod(pod.namespace, pod.name, { signal });
    if (found === undefined) {
      return [skipped(OWN_ADDRESS, `there is no pod ${name}: the host name of this one is another`)];
    }
    const ours = addresses();
    if (found.podIps.length > 0 && found.podIps.every((address) => ours.includes(address))) {
      return [ok(OWN_ADDRESS, `this pod has what its status says: ${found.podIps.join(', ')}`)];
    }
    const fix =
      'See how the network plugin gives addresses: where callers come from others than status.podIPs, name the proxy in between with listen.trustedProxies, or set kubernetes.checkSourceAddress to false';
    const detail = `pod ${name} has ${ours.join(', ')}, and its status says ${found.podIps.join(', ') || 'nothing'}`;
    return [warning(OWN_ADDRESS, detail, fix)];
  } catch (error) {
    return [
      explainKubernetes(OWN_ADDRESS, error, `See what kubectl -n ${pod.namespace} get pod ${pod.name} says`),
    ];
  }
}
