import { errorCode } from '../observability/error-code.ts';
import type { DecoratorParts } from './decorator-parts.ts';
import { couldNotCheck, type Stopped } from './decisions.ts';
import type { TemplateReview } from './stamp-templates.ts';
import type { RequesterUser } from './whose-pod.ts';

/** Whether the requester may change what somebody else speaks for, and leave it theirs. */
export async function mayKeep(
  review: TemplateReview,
  asked: RequesterUser,
  { mayKeepIdentity, isExempt }: Pick<DecoratorParts, 'mayKeepIdentity' | 'isExempt'>,
  signal: AbortSignal,
): Promise<boolean | Stopped> {
  // Whoever may edit impersonates accounts; the right would be the account's.
  // check: keeper-account-proven
  if (asked.outcome === 'refused' && asked.reason === 'service-account-unproven') return asked;
  if (isExempt(review.userInfo, 'keep-identity', review.namespace)) return true;
  try {
    return await mayKeepIdentity(review, signal);
  } catch (error) {
    return couldNotCheck(
      'kubernetes-api',
      `the right keep-identity could not be looked up (${errorCode(error)})`,
    );
  }
}
