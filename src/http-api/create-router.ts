import type { IncomingMessage } from 'node:http';
import express, { type Express } from 'express';

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

/** The best of these types for the request's `Accept`, as Express finds it; false: none. It reads headers only. */
export function acceptedType(request: IncomingMessage, types: readonly string[]): string | false {
  return Reflect.apply(express.request.accepts, request, [[...types]]) as string | false;
}
