import type { PatchOperation } from '../patch/patch-operation.ts';
import type { AdmissionRequest } from './admission-request.ts';

interface Allowed {
  readonly outcome: 'allowed';
  /** Only from a mutating webhook. Absent and empty are the same: nothing is changed. */
  readonly patch?: readonly PatchOperation[];
  /** Shown to whoever asked. */
  readonly warnings?: readonly string[];
  /** For the API server's audit log, which puts the webhook's name before each key. */
  readonly auditAnnotations?: Readonly<Record<string, string>>;
  /** Hadoop user that the object speaks for, for our audit. */
  readonly user?: string;
}

interface Refused {
  readonly outcome: 'refused';
  /** One of our own words, for the audit. */
  readonly reason: string;
  /** For the person: what is wrong and what to do about it. */
  readonly text: string;
  readonly user?: string;
}

/** Neither yes nor no: the webhook refuses, and says that the same may go through later. */
interface CouldNotCheck {
  readonly outcome: 'could-not-check';
  /** What could not be asked, or could not tell: one of our own words. */
  readonly dependency: string;
  readonly text: string;
}

export type AdmissionDecision = Allowed | Refused | CouldNotCheck;

/** Must not keep anything of one review for another. The signal is aborted when there is no more time for an answer. */
export type Decide = (review: AdmissionRequest, signal: AbortSignal) => Promise<AdmissionDecision>;
