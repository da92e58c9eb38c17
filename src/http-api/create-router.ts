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
