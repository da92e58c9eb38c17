import type { PreflightCalls } from '../../kubernetes/preflight-calls.ts';
import type { Finding } from '../finding.ts';
import { failed, ok, type Subject, warning } from '../say.ts';
import { explainKubernetes } from './explain-kubernetes.ts';
import { grantFix, type Right, rightName } from './rights.ts';

export function rightSubject({ access }: Pick<Right, 'access'>): Subject {
  const { verb, group, resource, namespace, name } = access;
  const full = group === '' ? resource : `${resource}.${group}`;
  const one = name === undefined ? '' : ` ${namespace === undefined ? '' : `${namespace}/`}${name}`;
  return { id: `rbac:${rightName(access)}`, title: `Right to ${verb} ${full}${one}` };
}

/** Whether RBAC gives us one right that `serve` needs. */
export async function checkRight(
  right: Right,
  { reviewOwnAccess, username }: Pick<PreflightCalls, 'reviewOwnAccess'> & { readonly username: string },
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const subject = rightSubject(right);
  try {
    if (await reviewOwnAccess(right.access, { signal })) return [ok(subject, 'granted')];
  } catch (error) {
    return [explainKubernetes(subject, error, 'See that the API server answers (kubectl auth can-i --list)')];
  }
  const say = right.essential ? failed : warning;
  return [say(subject, `not granted: without it ${right.for}`, grantFix(right.access, username))];
}
