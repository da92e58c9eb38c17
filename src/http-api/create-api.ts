import { randomBytes, randomUUID } from 'node:crypto';
import type { RequestListener } from 'node:http';
import type { ErrorRequestHandler, RequestHandler } from 'express';
import type { Logger } from '../observability/logger.ts';
import type { Clock } from '../time/clock.ts';
import { createRouter } from './create-router.ts';
import { createCredentialsRoute, type CredentialsRouteOptions, refuseThrown } from './credentials-route.ts';
import { invalidRequest, methodNotAllowed, notFound } from './problem.ts';
import type { Refusals } from './refusals.ts';
import { answerProblem, openRecord, recordOf } from './request-record.ts';

export interface ApiOptions extends Omit<CredentialsRouteOptions, 'random' | 'etagKey'> {
  readonly logger: Logger;
  readonly clock: Clock;
  readonly refusals: Refusals;
  readonly random?: () => number;
  readonly newRequestId?: () => string;
}

/**
 * The public API. Express does the routing only: every error, also one of Express itself, ends in our own last
 * handler and never in Express's, which would take a status from the error.
 */
export function createApi(options: ApiOptions): RequestListener {
  const { random = Math.random, newRequestId = randomUUID } = options;
  const app = createRouter();

  const credentials = createCredentialsRoute({ ...options, random, etagKey: randomBytes(32) });
  // Registered before get(), which would answer HEAD and leave OPTIONS to Express.
  app.all('/v1/credentials', noteRoute('/v1/credentials'), allowOnly(['GET', 'HEAD']));
  app.get('/v1/credentials', credentials);
  app.use(answerNotFound);
  app.use(answerThrown(random));

  return (request, response) => {
    const record = openRecord(request, response, { ...options, newRequestId });
    const target = request.url ?? '';
    if (!isWellFormed(target)) {
      record.outcome = 'invalid-request';
      record.reason = 'target';
      answerProblem(response, record, invalidRequest('The request target is malformed'));
      return;
    }
    app(request, response);
  };
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

function allowOnly(methods: readonly string[]): RequestHandler {
  return (request, response, next) => {
    if (methods.includes(request.method)) {
      next();
      return;
    }
    const record = recordOf(response);
    record.outcome = 'method-not-allowed';
    answerProblem(response, record, methodNotAllowed(methods.join(', ')));
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
