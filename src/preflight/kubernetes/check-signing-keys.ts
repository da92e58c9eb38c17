import type { KubernetesApi } from '../../kubernetes/kubernetes-api.ts';
import { KubernetesApiError } from '../../kubernetes/kubernetes-api-error.ts';
import type { Finding } from '../finding.ts';
import { failed, ok } from '../say.ts';
import { explainKubernetes } from './explain-kubernetes.ts';
import { subjectOption } from './rights.ts';

export const SIGNING_KEYS = {
  id: 'signing-keys',
  title: 'Issuer and signing keys of service-account tokens',
};

const ROLE = 'system:service-account-issuer-discovery';

/** Whether we may read with which keys the API server signs: without them `serve` takes 5 tokens a second and no more. */
export async function checkSigningKeys(
  {
    readServiceAccountIssuer,
    username,
  }: Pick<KubernetesApi, 'readServiceAccountIssuer'> & { readonly username: string },
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  try {
    const { issuer, keys } = await readServiceAccountIssuer({ signal });
    if (keys.length > 0) return [ok(SIGNING_KEYS, `${issuer}, ${keys.length} key(s)`)];
    const fix =
      'Set --service-account-key-file of the API server to the keys that its tokens are signed with';
    return [failed(SIGNING_KEYS, `${issuer} publishes no key`, fix)];
  } catch (error) {
    if (error instanceof KubernetesApiError && error.code === 'forbidden') {
      const bind = `kubectl create clusterrolebinding kerbridge-issuer-discovery --clusterrole=${ROLE} ${subjectOption(username)}`;
      return [failed(SIGNING_KEYS, error.message, `Bind ${username} to the ClusterRole ${ROLE}: ${bind}`)];
    }
    const fallback = 'See what kubectl get --raw /.well-known/openid-configuration says';
    return [explainKubernetes(SIGNING_KEYS, error, fallback)];
  }
}
