import type { ServerResponse } from 'node:http';
import { drawRefreshAfter } from '../delegation-tokens/refresh-after.ts';
import type { Clock } from '../time/clock.ts';
import { rfc3339 } from './credentials-document.ts';
import { credentialsHeaders } from './credentials-headers.ts';
import type { Issued } from './credentials-steps.ts';
import type { Random } from './outcome-to-status.ts';
import type { CredentialsType, PreparedBody } from './prepared-credentials.ts';
import type { Problem } from './problem.ts';
import { answerProblem, commonHeaders, type RequestRecord } from './request-record.ts';

const VARY = 'Accept, Authorization';

export interface CredentialsAnswer extends Issued {
  readonly status: 200 | 304;
  readonly type: CredentialsType;
  readonly body: PreparedBody;
}

/** Reports the request and ends it with what was prepared: the whole answer in one write. */
export function sendCredentials(
  { response, record }: { readonly response: ServerResponse; readonly record: RequestRecord },
  { status, type, body, issued, prepared }: CredentialsAnswer,
  { clock, random }: { readonly clock: Clock; readonly random: Random },
): void {
  const now = clock.now();
  const refreshAfter = drawRefreshAfter(issued.refresh, random);
  const headers = [
    ...commonHeaders(record),
    'Vary',
    VARY,
    'Cache-Control',
    'no-store',
    'ETag',
    body.etag,
    ...credentialsHeaders(prepared, { now, refreshAfter }),
  ];
  record.report(status);
  if (status === 304) {
    response.writeHead(304, headers).end();
    return;
  }
  const text =
    body.end === undefined
      ? body.start
      : `${body.start}${rfc3339(BigInt(Math.trunc(refreshAfter)))}${body.end}`;
  headers.push('Content-Type', type, 'Content-Length', String(text.length));
  response.writeHead(200, headers).end(text, 'latin1');
}

export function sendProblemOf(response: ServerResponse, record: RequestRecord, problem: Problem): void {
  response.setHeader('Vary', VARY);
  answerProblem(response, record, problem);
}
