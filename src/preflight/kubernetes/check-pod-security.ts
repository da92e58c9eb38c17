import { KubernetesApiError } from '../../kubernetes/kubernetes-api-error.ts';
import type { PreflightCalls } from '../../kubernetes/preflight-calls.ts';
import type { Finding } from '../finding.ts';
import { ok, skipped, warning } from '../say.ts';
import { explainKubernetes } from './explain-kubernetes.ts';

export const POD_SECURITY = { id: 'pod-security', title: 'Pod Security of the namespaces that opted in' };

const OPT_IN = 'iddecorator=enabled';
const ENFORCE = 'pod-security.kubernetes.io/enforce';
const ENOUGH: readonly (string | undefined)[] = ['baseline', 'restricted'];
/** A finding each; of the others their number. */
const MAX_NAMED = 20;

/** A pod that may mount its node's files reads the tokens of every pod there, so where pods get tokens none may. */
export async function checkPodSecurity(
  { listNamespaces }: Pick<PreflightCalls, 'listNamespaces'>,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  try {
    const namespaces = await listNamespaces(OPT_IN, { signal });
    const open = namespaces.filter(({ labels }) => !ENOUGH.includes(labels[ENFORCE]));
    if (open.length === 0) {
      return [
        ok(POD_SECURITY, `${namespaces.length} namespace(s) with ${OPT_IN}, all enforce baseline or more`),
      ];
    }
    const findings = open.slice(0, MAX_NAMED).map(({ name, labels }) => {
      const level = labels[ENFORCE] ?? 'nothing';
      return warning(
        { id: `${POD_SECURITY.id}:${name}`, title: `Pod Security of namespace ${name}` },
        `it enforces ${level}: a pod with a hostPath volume there reads every token on its node`,
        `See what would be refused, then enforce it: kubectl label --dry-run=server --overwrite namespace ${name} ${ENFORCE}=baseline`,
      );
    });
    const more = open.length - findings.length;
    if (more === 0) return findings;
    const list = `kubectl get namespaces -l '${OPT_IN},${ENFORCE} notin (baseline,restricted)'`;
    return [...findings, warning(POD_SECURITY, `${more} more namespace(s) likewise`, `List them: ${list}`)];
  } catch (error) {
    if (error instanceof KubernetesApiError && error.code === 'forbidden') {
      const detail =
        'we may not list namespaces, which serve does not need: run this check with a kubeconfig that may';
      return [skipped(POD_SECURITY, detail)];
    }
    return [explainKubernetes(POD_SECURITY, error, 'See what kubectl get namespaces says')];
  }
}
