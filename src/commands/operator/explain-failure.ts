import { KubernetesApiError, type KubernetesApiFailure } from '../../kubernetes/kubernetes-api-error.ts';
import { OPERATOR_EXIT } from './operator-command.ts';

const EXIT: Readonly<Record<KubernetesApiFailure, number>> = {
  configuration: OPERATOR_EXIT.usage,
  credentials: OPERATOR_EXIT.failed,
  unauthorized: OPERATOR_EXIT.refused,
  forbidden: OPERATOR_EXIT.refused,
  unreachable: OPERATOR_EXIT.notReached,
  timeout: OPERATOR_EXIT.notReached,
  'too-many-requests': OPERATOR_EXIT.notReached,
  'server-error': OPERATOR_EXIT.notReached,
  'bad-reply': OPERATOR_EXIT.failed,
};

/** What to tell the operator of a call to the Kubernetes API that failed, and the exit code; undefined: a bug of ours. */
export function explainKubernetesFailure(error: unknown): { message: string; exitCode: number } | undefined {
  if (!(error instanceof KubernetesApiError)) return undefined;
  // The error's own fix names a key of the configuration of `serve`.
  const fix = error.code === 'configuration' ? 'name another with --kubeconfig and --context' : error.fix;
  return {
    message: fix === undefined ? error.message : `${error.message}; ${fix}`,
    exitCode: EXIT[error.code],
  };
}
