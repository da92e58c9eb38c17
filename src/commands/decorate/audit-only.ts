import type { Decide } from '../../admission/review/admission-decision.ts';
import type { AdmissionRequest } from '../../admission/review/admission-request.ts';

export interface Supposed {
  readonly outcome: 'would-change' | 'would-refuse' | 'could-not-check';
  /** Of a refusal, or what could not be asked. */
  readonly reason?: string;
  readonly user?: string;
}

/** Lets everything through as it is, and tells what would have become of it: the operator, and whoever asked. */
export function auditOnly(
  decide: Decide,
  onSupposed: (review: AdmissionRequest, supposed: Supposed) => void,
): Decide {
  return async (review, signal) => {
    const decision = await decide(review, signal);
    switch (decision.outcome) {
      case 'allowed': {
        const { patch = [], user } = decision;
        if (patch.length > 0)
          onSupposed(review, { outcome: 'would-change', ...(user === undefined ? {} : { user }) });
        return { outcome: 'allowed' };
      }
      case 'refused': {
        const { reason, text, user } = decision;
        onSupposed(review, { outcome: 'would-refuse', reason, ...(user === undefined ? {} : { user }) });
        return { outcome: 'allowed', warnings: [`Kerbridge would refuse this: ${text}`] };
      }
      case 'could-not-check':
        onSupposed(review, { outcome: 'could-not-check', reason: decision.dependency });
        return { outcome: 'allowed' };
    }
  };
}
