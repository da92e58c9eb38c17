import type { KubernetesApi } from '../../kubernetes/kubernetes-api.ts';
import type { Finding } from '../finding.ts';
import { failed, ok, skipped } from '../say.ts';
import { explainKubernetes } from './explain-kubernetes.ts';

/**
 * Whether a TokenReview tells audiences apart: our own token is for the API server, so for another audience it must be
 * refused. An API server, or an authenticator behind it, that takes it would take every pod's ordinary token for a
 * pod's word to us.
 */
export async function checkAudience(
  {
    audience,
    readOwnToken,
    reviewServiceAccountToken,
  }: Pick<KubernetesApi, 'readOwnToken' | 'reviewServiceAccountToken'> & { readonly audience: string },
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const subject = { id: 'token-audience', title: `TokenReview for the audience ${audience}` };
  try {
    const ownToken = await readOwnToken();
    if (ownToken === undefined) {
      return [skipped(subject, 'our own credential is no token, so there is none to try it with')];
    }
    const review = await reviewServiceAccountToken(ownToken, [audience], { signal });
    if (!review.authenticated) return [ok(subject, 'a token for the API server is refused')];
    if (!review.audiences.includes(audience)) {
      const fix =
        'This API server does not look at audiences (a webhook authenticator, or a version before 1.13?): use one that does, as serve refuses every caller of this one';
      return [failed(subject, 'a token for the API server is accepted, and no audience is named', fix)];
    }
    const fix = `Set kubernetes.audience to a name that is none of --api-audiences of the API server, and the same in the pods' projected volumes`;
    return [
      failed(
        subject,
        `it is an audience of the API server itself: every pod's ordinary token would be accepted`,
        fix,
      ),
    ];
  } catch (error) {
    const fallback =
      'See why the API server (its webhook authenticator, its etcd) could not decide: kubectl get --raw /readyz?verbose';
    return [explainKubernetes(subject, error, fallback)];
  }
}
