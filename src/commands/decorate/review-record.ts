import type { AdmissionRequest } from '../../admission/review/admission-request.ts';
import { type ReviewAnswer, statusOf } from '../../admission/review/write-admission-review.ts';
import type { AuditEntry, ReviewedObject } from '../../observability/audit-record.ts';

export type ReviewPath = 'mutate' | 'validate';
export type ReviewOutcome = 'allowed' | 'changed' | 'refused' | 'could-not-check' | 'failed' | 'oversize';

/** Kubernetes' own names are no longer; a user's may be. */
const MAX_NAME_LENGTH = 253;

/** What of a review may be logged: whom and what it is about, never anything of an object. */
export function reviewedObject(review: AdmissionRequest): ReviewedObject {
  const { operation, resource, subResource, namespace, name, userInfo, dryRun } = review;
  const plural = resource.group === '' ? resource.resource : `${resource.resource}.${resource.group}`;
  return {
    operation,
    resource: clip(subResource === undefined ? plural : `${plural}/${subResource}`),
    namespace: clip(namespace),
    name: clip(name),
    requester: clip(userInfo.username),
    ...(dryRun ? { dryRun } : {}),
  };
}

export function outcomeOf(answer: ReviewAnswer): ReviewOutcome {
  if (answer.outcome !== 'allowed') return answer.outcome;
  return (answer.patch ?? []).length > 0 ? 'changed' : 'allowed';
}

/** undefined: it is let through as it is, which nobody needs a line of. */
export function auditEntryOf(
  review: AdmissionRequest,
  answer: ReviewAnswer,
  path: ReviewPath,
): AuditEntry | undefined {
  const outcome = outcomeOf(answer);
  if (outcome === 'allowed') return undefined;
  const common = {
    requestId: review.uid,
    route: `/${path}`,
    method: 'POST',
    review: reviewedObject(review),
  };
  if (answer.outcome === 'allowed') {
    return { ...common, decision: 'allowed', status: 200, code: 'changed', user: answer.user };
  }
  return {
    ...common,
    decision: answer.outcome === 'oversize' ? 'malformed' : answer.outcome,
    status: statusOf(answer).code,
    code: outcome,
    ...(answer.outcome === 'refused' ? { reason: answer.reason, user: answer.user } : {}),
    ...(answer.outcome === 'could-not-check' ? { dependency: answer.dependency } : {}),
  };
}

function clip(text: string): string;
function clip(text: string | undefined): string | undefined;
function clip(text: string | undefined): string | undefined {
  return text === undefined || text.length <= MAX_NAME_LENGTH ? text : `${text.slice(0, MAX_NAME_LENGTH)}...`;
}
