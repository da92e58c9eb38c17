import type { AdmissionDecision } from './review/admission-decision.ts';

/** The two ways not to go on, as every step can return them. */
export type Stopped = Exclude<AdmissionDecision, { readonly outcome: 'allowed' }>;

export function refuse(reason: string, text: string, user?: string): Stopped {
  return { outcome: 'refused', reason, text, ...(user === undefined ? {} : { user }) };
}

export function couldNotCheck(dependency: string, what: string): Stopped {
  return {
    outcome: 'could-not-check',
    dependency,
    text: `${what}: nothing was changed, try again in a moment`,
  };
}
