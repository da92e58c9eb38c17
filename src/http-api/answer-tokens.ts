import type { RequestHandler } from 'express';
import type { WriteAudit } from '../observability/audit-stream.ts';
import { auditDecision } from './audit-decision.ts';
import { failureFields } from './failure-fields.ts';
import type { Random } from './outcome-to-status.ts';
import { methodNotAllowed, type Problem } from './problem.ts';
import { refuseThrown } from './refuse-thrown.ts';
import { answerProblem, commonHeaders, recordOf, type RequestRecord, setHeaders } from './request-record.ts';
import type { TokensDocument } from './tokens-document.ts';
import { type TokensResult, type TokensRoute, tokensProblem } from './tokens-route.ts';

export interface AnswerTokensOptions {
  readonly writeAudit: WriteAudit;
  readonly random: Random;
}

const METHODS = ['GET', 'HEAD'];

/** `GET /v1/tokens` over HTTP: audited like credentials, before anybody hears of the decision. */
export function answerTokens(route: TokensRoute, options: AnswerTokensOptions): RequestHandler {
  return async (request, response) => {
    const record = recordOf(response);
    response.setHeader('Vary', 'Authorization');
    const answer = METHODS.includes(request.method)
      ? await ask(route, request.url, record, options.random)
      : { problem: methodNotAllowed(METHODS.join(', ')) };
    if (answer === undefined) return;
    const made = 'problem' in answer ? answer.problem : { status: 200, code: 'ok' };
    const unrecorded = await auditDecision(record, made, options);
    if (record.isAbandoned) return;
    // check: tokens-audit-written
    if (unrecorded !== undefined) {
      answerProblem(response, record, unrecorded);
      return;
    }
    if ('problem' in answer) {
      answerProblem(response, record, answer.problem);
      return;
    }
    const body = Buffer.from(JSON.stringify(answer.document));
    record.report(200);
    setHeaders(response, commonHeaders(record));
    response.setHeader('Cache-Control', 'no-store');
    response.setHeader('Content-Type', 'application/json');
    response.setHeader('Content-Length', body.length);
    response.end(body);
  };
}

/** Undefined: the caller went away before anything was decided. */
async function ask(
  route: TokensRoute,
  url: string,
  record: RequestRecord,
  random: Random,
): Promise<{ readonly document: TokensDocument } | { readonly problem: Problem } | undefined> {
  const start = url.indexOf('?');
  try {
    const result = await route({
      authorization: record.authorization.reveal(),
      query: start === -1 ? '' : url.slice(start + 1),
      signal: record.signal,
    });
    note(result, record);
    if (result.outcome !== 'listed') return { problem: tokensProblem(result, random) };
    return { document: result.document };
  } catch (thrown) {
    const problem = refuseThrown(thrown, record, random);
    return record.isAbandoned ? undefined : { problem };
  }
}

function note(result: TokensResult, record: RequestRecord): void {
  record.outcome = result.outcome;
  switch (result.outcome) {
    case 'listed':
      record.operator = result.operator;
      break;
    case 'overloaded':
      record.refusedBy = 'too-many-authentications';
      break;
    case 'invalid-request':
      record.reason = 'query';
      record.detail = result.detail;
      break;
    case 'not-authenticated':
      record.reason = result.reason;
      if (result.detail !== undefined) record.detail = result.detail;
      break;
    case 'not-authorized':
      record.reason = result.outcome;
      record.operator = result.operator;
      record.detail = result.detail;
      break;
    case 'could-not-check':
      record.reason = result.dependency;
      record.dependency = result.dependency;
      record.error = result.cause;
      record.failure = failureFields(result.cause);
      break;
  }
}
