import { randomBytes, randomUUID } from 'node:crypto';
import type { RequestListener, ServerResponse } from 'node:http';
import type { ErrorRequestHandler, RequestHandler } from 'express';
import type { Logger } from '../observability/logger.ts';
import type { Clock } from '../time/clock.ts';
import { answerTokens } from './answer-tokens.ts';
import { auditDecision } from './audit-decision.ts';
import { createRouter } from './create-router.ts';
import {
  createCredentialsRoute,
  CREDENTIALS_PATH,
  type CredentialsRouteOptions,
} from './credentials-route.ts';
import { createRejectedRoute, REJECTED_PATH, type RejectedRouteOptions } from './rejected-route.ts';
import { refuseThrown } from './refuse-thrown.ts';
import { invalidRequest, notFound } from './problem.ts';
import type { Refusals } from './refusals.ts';
import { RequestCounts } from './request-counts.ts';
import { answerProblem, keepRecord, recordOf, RequestRecord } from './request-record.ts';
import type { TokensRoute } from './tokens-route.ts';

export interface ApiOptions extends Omit<CredentialsRouteOptions, 'random' | 'etagKey'> {
  readonly logger: Logger;
  readonly clock: Clock;
  readonly refusals: Refusals;
  /** `GET /v1/tokens`, for operators. */
  readonly tokensRoute: TokensRoute;
  readonly reportRejected: RejectedRouteOptions['reportRejected'];
  readonly random?: () => number;
  readonly newRequestId?: () => string;
}

/**
 * The public API. `/v1/credentials` is answered without Express, which would take longer than all the rest of an answer
 * from memory. For everything else Express does the routing only: every error, also one of Express itself, ends in our
 * own last handler and never in Express's, which would take a status from the error.
 */
export function createApi(options: ApiOptions): RequestListener {
  const { random = Math.random, newRequestId = randomUUID } = options;
  const recordOptions = { ...options, newRequestId, counts: new RequestCounts(options.metrics) };
  const app = createRouter();

  const answerCredentials = createCredentialsRoute({ ...options, random, etagKey: randomBytes(32) });
  app.use(noteSourceAddress(options.sourceAddressOf));
  // Not get(), which would leave OPTIONS to Express: every method is decided upon, and audited, by the route.
  app.all(REJECTED_PATH, noteRoute(REJECTED_PATH), createRejectedRoute({ ...options, random }));
  app.all('/v1/tokens', noteRoute('/v1/tokens'), answerTokens(options.tokensRoute, { ...options, random }));
  app.use(answerNotFound);
  app.use(answerThrown(random));

  return (request, response) => {
    const record = new RequestRecord(request, response, recordOptions);
    const target = request.url ?? '';
    if (isCredentialsTarget(target)) {
      answerCredentials(request, response, record);
      return;
    }
    keepRecord(response, record);
    if (isWellFormed(target)) app(request, response);
    else void refuseTarget(response, record, { ...options, random });
  };
}

/** Never rejects. */
async function refuseTarget(
  response: ServerResponse,
  record: RequestRecord,
  options: Parameters<typeof auditDecision>[2],
): Promise<void> {
  record.outcome = 'invalid-request';
  record.reason = 'target';
  const problem = invalidRequest('The request target is malformed');
  const unrecorded = await auditDecision(record, problem, options);
  if (!record.isAbandoned) answerProblem(response, record, unrecorded ?? problem);
}

const answerNotFound: RequestHandler = (_request, response) => {
  const record = recordOf(response);
  record.outcome = 'not-found';
  answerProblem(response, record, notFound);
};

/** What Express itself, or a middleware, throws. Four parameters make it an error handler. */
function answerThrown(random: () => number): ErrorRequestHandler {
  return (thrown: unknown, _request, response, _next) => {
    const record = recordOf(response);
    const problem = refuseThrown(thrown, record, random);
    if (response.headersSent) response.destroy();
    else answerProblem(response, record, problem);
  };
}

function noteRoute(route: string): RequestHandler {
  return (_request, response, next) => {
    recordOf(response).route = route;
    next();
  };
}

function noteSourceAddress(sourceAddressOf: ApiOptions['sourceAddressOf']): RequestHandler {
  return (request, response, next) => {
    const address = sourceAddressOf(request);
    if (address !== undefined) recordOf(response).sourceAddress = address;
    next();
  };
}

/** Origin form only (a proxy's absolute form is not for us), its path valid percent-encoded UTF-8. */
function isWellFormed(target: string): boolean {
  if (!target.startsWith('/')) return false;
  try {
    decodeURIComponent(target.split('?', 1)[0] ?? '');
    return true;
  } catch {
    return false;
  }
}

function isCredentialsTarget(target: string): boolean {
  return target === CREDENTIALS_PATH || target.startsWith(`${CREDENTIALS_PATH}?`);
}
