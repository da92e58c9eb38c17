import { TokenServiceError } from '../delegation-tokens/token-service.ts';
import { TokenStoreError } from '../delegation-tokens/token-store.ts';
import { failureFields } from './failure-fields.ts';
import { faultToProblem, type Random } from './outcome-to-status.ts';
import type { Problem } from './problem.ts';
import type { RequestRecord } from './request-record.ts';

/** Notes a thrown error for the log line and says what the caller sees of it. */
export function refuseThrown(thrown: unknown, record: RequestRecord, random: Random): Problem {
  const { problem, outcome, dependency } = faultToProblem(thrown, random);
  if (dependency !== undefined) record.dependency = dependency;
  record.outcome = 'failed';
  record.reason = outcome;
  record.error = thrown;
  if (thrown instanceof TokenServiceError || thrown instanceof TokenStoreError)
    record.failure = failureFields(thrown);
  return problem;
}
