import type { DecoratorParts } from './decorator-parts.ts';
import { refuse } from './decisions.ts';
import { CONNECT_SUBRESOURCES, guardBinding, guardPodConnect, guardPodUpdate } from './guard-pod.ts';
import type { AdmissionDecision, Decide } from './review/admission-decision.ts';
import type { AdmissionRequest } from './review/admission-request.ts';
import { type PodReview, stampPod } from './stamp-pod.ts';
import { stampTemplates } from './stamp-templates.ts';
import { validatePod } from './validate-pod.ts';
import { validateTemplates } from './validate-templates.ts';

const ALLOWED: AdmissionDecision = { outcome: 'allowed' };

/** The mutating webhook: who a new pod or a workload's template speaks for. */
export function createMutation(parts: DecoratorParts): Decide {
  return async (review, signal) => {
    if (!hasNamespace(review)) return ALLOWED;
    const work = kindOfWork(review);
    if (work === 'pod' && review.operation === 'CREATE') return await stampPod(review, parts, signal);
    if (work === 'workload' && isWrite(review)) return await stampTemplates(review, parts, signal);
    return ALLOWED;
  };
}

/** The validating webhook: what will be stored, and who reaches into a pod. */
export function createValidation(parts: DecoratorParts): Decide {
  const guard = createGuard(parts);
  return async (review, signal) => {
    if (!hasNamespace(review)) return ALLOWED;
    const work = kindOfWork(review);
    if (work === 'pod' && review.operation === 'CREATE') return await validatePod(review, parts, signal);
    if (work === 'workload' && isWrite(review)) return await validateTemplates(review, parts, signal);
    return await guard(review, signal);
  };
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

const isWrite = ({ operation }: AdmissionRequest): boolean =>
  operation === 'CREATE' || operation === 'UPDATE';

function hasNamespace(review: AdmissionRequest): review is PodReview {
  return review.namespace !== undefined && review.namespace !== '';
}
