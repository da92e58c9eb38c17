import type { ServerResponse } from 'node:http';

/**
 * An error as a caller sees it: RFC 9457 with our stable `code`. `title` is constant for a code, or names a field of
 * the request; it never repeats the text of an error. `type` is absent, which the RFC reads as `about:blank`.
 */
export interface Problem {
  readonly status: number;
  readonly code: string;
  readonly title: string;
  /** The name in the request that is unknown: `cluster` or `kind`. Only on 404. */
  readonly unknown?: { readonly field: 'cluster' | 'kind'; readonly name: string };
  readonly headers?: Readonly<Record<string, string>>;
}

/** Ends the response. Node leaves the body out where there can be none (HEAD). */
export function sendProblem(response: ServerResponse, problem: Problem, requestId: string): void {
  const { status, code, title, unknown, headers = {} } = problem;
  const body = Buffer.from(
    JSON.stringify({
      title,
      status,
      code,
      requestId,
      ...(unknown === undefined ? {} : { [unknown.field]: unknown.name }),
    }),
  );
  response.removeHeader('ETag');
  response.statusCode = status;
  response.setHeader('Content-Type', 'application/problem+json');
  response.setHeader('Content-Length', body.length);
  response.setHeader('Cache-Control', 'no-store');
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  response.end(body);
}

export const invalidRequest = (title: string): Problem => ({ status: 400, code: 'invalid-request', title });
export const notFound: Problem = { status: 404, code: 'not-found', title: 'No such resource' };
export const internalError: Problem = { status: 500, code: 'internal', title: 'Internal error' };

export const methodNotAllowed = (allow: string): Problem => ({
  status: 405,
  code: 'method-not-allowed',
  title: `Only ${allow} can be used here`,
  headers: { Allow: allow },
});

export const notAcceptable = (types: readonly string[]): Problem => ({
  status: 406,
  code: 'not-acceptable',
  title: `Accept must allow one of ${types.join(', ')}`,
});
