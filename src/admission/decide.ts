import type { DecoratorParts } from './decorator-parts.ts';
import { errorCode } from '../observability/error-code.ts';
import { couldNotCheck, refuse, type Stopped } from './decisions.ts';
import { quote } from './requester/quote.ts';
import { CONNECT_SUBRESOURCES, guardBinding, guardPodConnect, guardPodUpdate } from './guard-pod.ts';
import type { AdmissionDecision, Decide } from './review/admission-decision.ts';
import type { AdmissionRequest } from './review/admission-request.ts';
import { type NamespacedReview, stampPod } from './stamp-pod.ts';
import { stampTemplates } from './stamp-templates.ts';
import { validatePod } from './validate-pod.ts';
import { validateTemplates } from './validate-templates.ts';

const ALLOWED: AdmissionDecision = { outcome: 'allowed' };

/** The mutating webhook: who a new pod or a workload's template speaks for. */
export function createMutation(parts: DecoratorParts): Decide {
  return async (review, signal) => {
    if (!hasNamespace(review)) return ALLOWED;
    const work = kindOfWork(review);
    if (!isStamped(work, review)) return ALLOWED;
    const namespaceUid = await checkOptedIn(review, parts, signal);
    if (typeof namespaceUid !== 'string') return namespaceUid;
    return work === 'pod'
      ? await stampPod({ ...review, namespaceUid }, parts, signal)
      : await stampTemplates({ ...review, namespaceUid }, parts, signal);
  };
}

/** The validating webhook: what will be stored, and who reaches into a pod. */
export function createValidation(parts: DecoratorParts): Decide {
  const guard = createGuard(parts);
  return async (review, signal) => {
    if (!hasNamespace(review)) return ALLOWED;
    const work = kindOfWork(review);
    if (!isStamped(work, review)) return await guard(review, signal);
    const namespaceUid = await checkOptedIn(review, parts, signal);
    if (typeof namespaceUid !== 'string') return namespaceUid;
    return work === 'pod'
      ? await validatePod({ ...review, namespaceUid }, parts, signal)
      : await validateTemplates({ ...review, namespaceUid }, parts, signal);
  };
}

/**
 * The UID of its namespace. Nothing is signed where the API server would not ask: somebody else may have reached our port,
 * and could put the stamp on a template before its namespace takes part. Where it does take part, the API server has every
 * template stamped anew.
 */
async function checkOptedIn(
  { namespace }: NamespacedReview,
  { optedInNamespace }: DecoratorParts,
  signal: AbortSignal,
): Promise<Stopped | string> {
  let uid: string | undefined;
  try {
    uid = await optedInNamespace(namespace, signal);
  } catch (error) {
    return couldNotCheck(
      'kubernetes-api',
      `namespace ${quote(namespace)} could not be read (${errorCode(error)})`,
    );
  }
  // check: namespace-opted-in
  if (uid === undefined)
    return refuse(
      'namespace-not-opted-in',
      `namespace ${quote(namespace)} does not carry the label by which it takes part: an administrator has to make the webhook configurations select by the label of optIn`,
    );
  return uid;
}

/** The part of the validating webhook that takes no stamps for granted: what becomes of pods that are there. */
export function createGuard(parts: DecoratorParts): Decide {
  return async (review, signal) => {
    if (!hasNamespace(review)) return ALLOWED;
    switch (kindOfWork(review)) {
      case 'pod':
        return review.operation === 'UPDATE' ? await guardPodUpdate(review, parts) : ALLOWED;
      case 'pod-connection':
        return review.operation === 'CONNECT' ? await guardPodConnect(review, parts, signal) : ALLOWED;
      case 'binding':
        return guardBinding(review, parts);
      case 'unknown-subresource':
        // check: subresource-known
        if (review.operation !== 'UPDATE' || review.object === undefined || review.oldObject === undefined)
          return refuse(
            'subresource-unknown',
            `pods/${review.subResource ?? ''} is not known to Kerbridge: use another way, or ask an administrator to update it`,
          );
        return await guardPodUpdate(review, parts);
      case 'workload':
      case 'none':
        return ALLOWED;
    }
  };
}

type Work = 'pod' | 'pod-connection' | 'binding' | 'workload' | 'unknown-subresource' | 'none';

/** Subresources of pods that write a whole pod: each is guarded as an update of it. */
const POD_WRITES: readonly string[] = ['status', 'ephemeralcontainers', 'resize'];
/** Nothing in them can reach a stamp or bring code. */
const HARMLESS: readonly string[] = ['eviction', 'log'];

function kindOfWork({ resource: { group, resource }, subResource, operation }: AdmissionRequest): Work {
  if (group === '' && resource === 'bindings') return 'binding';
  if (group !== '' || resource !== 'pods') return subResource === undefined ? 'workload' : 'none';
  if (subResource === undefined) return 'pod';
  if (subResource === 'binding') return 'binding';
  if (CONNECT_SUBRESOURCES.includes(subResource)) return 'pod-connection';
  if (POD_WRITES.includes(subResource)) return operation === 'UPDATE' ? 'pod' : 'unknown-subresource';
  return HARMLESS.includes(subResource) ? 'none' : 'unknown-subresource';
}

const isStamped = (work: Work, review: AdmissionRequest): boolean =>
  (work === 'pod' && review.operation === 'CREATE') || (work === 'workload' && isWrite(review));

const isWrite = ({ operation }: AdmissionRequest): boolean =>
  operation === 'CREATE' || operation === 'UPDATE';

function hasNamespace(review: AdmissionRequest): review is NamespacedReview {
  return review.namespace !== undefined && review.namespace !== '';
}
