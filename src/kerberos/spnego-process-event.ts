import type { SpnegoFailure } from '../hadoop/spnego.ts';

/** What the operator may want to log or count. Holds no token, ticket or key. */
export type SpnegoProcessEvent =
  | { readonly type: 'worker-started'; readonly pid: number | undefined }
  | { readonly type: 'worker-ended'; readonly pid: number | undefined; readonly reason: string }
  | {
      readonly type: 'step';
      readonly service: string;
      readonly outcome: 'ok' | SpnegoFailure;
      readonly durationMs: number;
      /** Why it failed, in words, and what the operator can do; absent when it went well, the fix also when unknown. */
      readonly reason?: string;
      readonly fix?: string;
    }
  /** The first try failed with this GSS text, or because its worker had ended, and is made once more. */
  | { readonly type: 'step-retried'; readonly service: string; readonly reason: string }
  | { readonly type: 'keytab-changed'; readonly principals: readonly string[] }
  /** The keytab can't be used (any more); the tickets had with it before still can. Told once for each reason. */
  | { readonly type: 'keytab-unusable'; readonly reason: string; readonly fix: string | undefined }
  | { readonly type: 'tickets-discarded' }
  /** The directory with old tickets could not be removed. */
  | { readonly type: 'tickets-not-removed' };
