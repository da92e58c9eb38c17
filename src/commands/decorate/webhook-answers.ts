import type { ServerResponse } from 'node:http';
import type { ReviewAnswer } from '../../admission/review/write-admission-review.ts';

export type Unread = 'malformed' | 'overloaded' | 'unauthenticated' | 'aborted';

/**
 * An answer in HTTP, where there is no review to answer. The person sees the API server's own words for the status ("the
 * server is currently unable to handle the request"); the text is for operators.
 */
export interface Unanswerable {
  readonly status: number;
  readonly text: string;
  readonly outcome: Unread | 'oversize';
}

/** No time is left; or the caller has gone. */
export class ReviewOverError extends Error {
  override readonly name = 'ReviewOverError';
}

/** There is no room for what is in it now. */
export class ReviewOverloadError extends Error {
  override readonly name = 'ReviewOverloadError';
}

export const OVERLOADED: Unanswerable = {
  status: 503,
  text: 'Kerbridge checks as many requests as it can: try again',
  outcome: 'overloaded',
};

export function couldNotCheck(dependency: 'time' | 'audit'): ReviewAnswer {
  const why = dependency === 'time' ? 'in time' : 'as its audit log can’t be written';
  return {
    outcome: 'could-not-check',
    dependency,
    text: `Kerbridge could not check this ${why}: try again, and tell its operators if that does not help`,
  };
}

/** Plain text: of any other type the API server takes nothing over. Node takes the rest of the body, and drops it. */
export function sendText(response: ServerResponse, status: number, text: string): void {
  if (response.destroyed) return;
  response.statusCode = status;
  response.setHeader('Content-Type', 'text/plain; charset=utf-8');
  response.setHeader('Content-Length', Buffer.byteLength(text));
  response.end(text);
}
