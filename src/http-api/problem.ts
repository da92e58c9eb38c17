import { STATUS_CODES, type ServerResponse } from 'node:http';

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

function bodyOf({ status, code, title, unknown }: Problem, requestId: string): Buffer {
  return Buffer.from(
    JSON.stringify({
      title,
      status,
      code,
      requestId,
      ...(unknown === undefined ? {} : { [unknown.field]: unknown.name }),
    }),
  );
}

/** Ends the response. Node leaves the body out where there can be none (HEAD). */
export function sendProblem(response: ServerResponse, problem: Problem, requestId: string): void {
  const { status, headers = {} } = problem;
  const body = bodyOf(problem, requestId);
  response.removeHeader('ETag');
  response.statusCode = status;
  response.setHeader('Content-Type', 'application/problem+json');
  response.setHeader('Content-Length', body.length);
  response.setHeader('Cache-Control', 'no-store');
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  response.end(body);
}

/** The whole answer as it goes over the wire, for a request that Node could not read. The connection ends with it. */
export function writeProblem(problem: Problem, requestId: string): string {
  const body = bodyOf(problem, requestId);
  const headers = {
    'Content-Type': 'application/problem+json',
    'Content-Length': String(body.length),
    'Cache-Control': 'no-store',
    'X-Request-Id': requestId,
    'X-Content-Type-Options': 'nosniff',
    Connection: 'close',
    ...problem.headers,
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status] ?? ''}\r\n${lines.join('')}\r\n${body.toString()}`;
}

export const invalidRequest = (title: string): Problem => ({ status: 400, code: 'invalid-request', title });
export const notFound: Problem = { status: 404, code: 'not-found', title: 'No such resource' };
export const internalError: Problem = { status: 500, code: 'internal', title: 'Internal error' };

export const requestTimeout: Problem = {
  status: 408,
  code: 'request-timeout',
  title: 'The request took too long to arrive',
};
export const expectationFailed: Problem = {
  status: 417,
  code: 'expectation-failed',
  title: 'Expect can only be 100-continue',
};
export const headersTooLarge: Problem = {
  status: 431,
  code: 'headers-too-large',
  title: 'The request line and headers are too long',
};

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
