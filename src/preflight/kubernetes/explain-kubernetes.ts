import { KubernetesApiError } from '../../kubernetes/kubernetes-api-error.ts';
import type { Finding } from '../finding.ts';
import { failed, type Subject } from '../say.ts';

/** What a call that could not be answered comes to. Whatever else was thrown is thrown again. */
export function explainKubernetes(subject: Subject, error: unknown, fallback: string): Finding {
  if (!(error instanceof KubernetesApiError)) throw error;
  return failed(subject, error.message, error.fix ?? fallback);
}
