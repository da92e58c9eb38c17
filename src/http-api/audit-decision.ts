import type { AuditEntry } from '../observability/audit-record.ts';
import type { WriteAudit } from '../observability/audit-stream.ts';
import { auditUnavailableProblem, decisionOf, type Random } from './outcome-to-status.ts';
import type { Problem } from './problem.ts';
import type { RequestRecord } from './request-record.ts';

/**
 * Records what was decided, before anybody hears of it. Never rejects.
 * @returns what the caller gets instead if the line could not be written
 */
export async function auditDecision(
  record: RequestRecord,
  { status, code }: Pick<Problem, 'status' | 'code'>,
  { writeAudit, random }: { readonly writeAudit: WriteAudit; readonly random: Random },
): Promise<Problem | undefined> {
  // One of many that are turned away unread, which have a line together.
  if (record.refusedBy !== undefined) return undefined;
  try {
    const { common } = record;
    await (common === undefined
      ? writeAudit(entryOf(record, status, code))
      : writeAudit(briefEntryOf(record, status, code), common));
    return undefined;
  } catch (error) {
    record.outcome = 'audit-unavailable';
    record.error ??= error;
    return auditUnavailableProblem(random);
  }
}

/** Without what is common to the lines of the same pod, and what there is only of failures. */
function briefEntryOf(record: RequestRecord, status: number, code: string): AuditEntry {
  const { requestId, route, method, reason, detail, dependency } = record;
  return { decision: decisionOf(status), requestId, route, method, status, code, reason, detail, dependency };
}

function entryOf(record: RequestRecord, status: number, code: string): AuditEntry {
  const { exception, endpoint } = record.failure ?? {};
  return {
    decision: decisionOf(status),
    requestId: record.requestId,
    route: record.route,
    method: record.method,
    status,
    code,
    reason: record.reason,
    detail: record.detail,
    dependency: record.dependency,
    sourceAddress: record.sourceAddress,
    operator: record.operator,
    pod: record.pod,
    user: record.user,
    requester: record.requester,
    doAs: record.doAs,
    cluster: record.cluster,
    kinds: record.kinds,
    sequenceNumbers: record.sequenceNumbers,
    exception,
    endpoint,
  };
}
