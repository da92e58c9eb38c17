import { readFileSync } from 'node:fs';

const PATH = '/var/run/secrets/kubernetes.io/serviceaccount/namespace';

/**
 * The namespace of the pod that this runs in, as Kubernetes mounts it beside the pod's service-account token; undefined
 * outside a pod.
 */
export function readOwnNamespace({ mountRoot = '' }: { readonly mountRoot?: string } = {}):
  string | undefined {
  try {
    const namespace = readFileSync(`${mountRoot}${PATH}`, 'utf8').trim();
    return namespace === '' ? undefined : namespace;
  } catch {
    return undefined;
  }
}
