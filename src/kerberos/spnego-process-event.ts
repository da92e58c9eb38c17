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
    }
  /** The first try failed with this GSS text and is made once more. */
  | { readonly type: 'step-retried'; readonly service: string; readonly reason: string }
  | { readonly type: 'keytab-changed'; readonly principals: readonly string[] }
  | { readonly type: 'tickets-discarded' }
  /** The directory with old tickets could not be removed. */
  | { readonly type: 'tickets-not-removed' };
