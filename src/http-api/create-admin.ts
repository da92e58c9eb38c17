import { randomUUID } from 'node:crypto';
import type { RequestListener } from 'node:http';
import type { ErrorRequestHandler } from 'express';
import type { Logger } from '../observability/logger.ts';
import type { Metrics } from '../observability/metrics.ts';
import { createRouter } from './create-router.ts';
import { internalError, methodNotAllowed, notFound, sendProblem } from './problem.ts';
import type { ReadinessReport } from './readiness.ts';

export interface AdminOptions {
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly readiness: { report(): ReadinessReport };
  readonly newRequestId?: () => string;
}

/** `/livez`, `/readyz` and `/metrics`, on a port of their own: nothing here is for callers of the public API. */
export function createAdmin({
  metrics,
  logger,
  readiness,
  newRequestId = randomUUID,
}: AdminOptions): RequestListener {
  const app = createRouter();

  app.all(['/livez', '/readyz', '/metrics'], (request, response, next) => {
    response.set('Cache-Control', 'no-store');
    if (request.method === 'GET' || request.method === 'HEAD') next();
    else sendProblem(response, methodNotAllowed('GET, HEAD'), newRequestId());
  });
  // Only that the event loop turns: a dead dependency is no reason to restart this process.
  app.get('/livez', (_request, response) => {
    response.json({ status: 'alive' });
  });
  app.get('/readyz', (_request, response) => {
    const { ready, status, dependencies } = readiness.report();
    response.status(ready ? 200 : 503).json({ status, dependencies });
  });
  app.get('/metrics', async (_request, response) => {
    const text = await metrics.registry.metrics();
    response.set('Content-Type', metrics.registry.contentType).send(Buffer.from(text));
  });
  app.use((_request, response) => sendProblem(response, notFound, newRequestId()));
  const answerThrown: ErrorRequestHandler = (thrown: unknown, _request, response, _next) => {
    const requestId = newRequestId();
    logger.error('Admin request failed', { requestId, error: thrown });
    if (response.headersSent) response.destroy();
    else sendProblem(response, internalError, requestId);
  };
  app.use(answerThrown);
  return app;
}
