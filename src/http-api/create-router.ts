import type { IncomingMessage } from 'node:http';
import express, { type Express, type Request } from 'express';

/** Express for routing only: exact paths, the query left to us, nothing added to an answer. */
export function createRouter(): Express {
  const router = express();
  router.disable('x-powered-by');
  router.disable('etag');
  router.set('query parser', false);
  router.enable('strict routing');
  router.enable('case sensitive routing');
  return router;
}

/** The best of these types for the request's `Accept`, as Express finds it; false: none. It looks at headers only. */
export function acceptedType(request: IncomingMessage, types: readonly string[]): string | false {
  const view: Request = Object.create(express.request);
  view.headers = request.headers;
  return view.accepts([...types]);
}
