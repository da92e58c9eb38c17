import { printable, requestIdOf, retryAfterMsOf } from './answer-facts.ts';
import type { HttpAnswer } from './exchange.ts';

/** The server answered and said no: asking again will not help until something is changed. */
export interface Refusal {
  readonly outcome: 'refused';
  readonly status: number;
  readonly code: string;
  readonly title: string;
  readonly requestId: string;
  readonly retryAfterMs: number;
}

/** No answer, an answer that is not Kerbridge's, or one that says "not now". */
export interface NotReached {
  readonly outcome: 'not-reached';
  readonly reason: string;
  readonly requestId: string;
  readonly retryAfterMs: number;
}

/** Of an answer that is not the one hoped for. */
export function judgeProblem({ status, headers, body }: HttpAnswer): Refusal | NotReached {
  const seen = { requestId: requestIdOf(headers), retryAfterMs: retryAfterMsOf(headers) };
  const contentType = contentTypeOf(headers);
  if (contentType !== 'application/problem+json') {
    const reason = `HTTP ${status} with content type ${printable(contentType) || 'none'}: not an answer of Kerbridge`;
    return { outcome: 'not-reached', reason, ...seen };
  }
  const problem = parseProblem(body);
  if (status >= 400 && status < 500 && status !== 408 && status !== 429) {
    return { outcome: 'refused', status, ...problem, ...seen };
  }
  return { outcome: 'not-reached', reason: `HTTP ${status} ${problem.code}: ${problem.title}`, ...seen };
}

export function contentTypeOf(headers: HttpAnswer['headers']): string {
  return headers['content-type']?.split(';')[0]?.trim().toLowerCase() ?? '';
}

function parseProblem(body: Buffer): { code: string; title: string } {
  try {
    const problem: unknown = JSON.parse(body.toString('utf8'));
    if (typeof problem === 'object' && problem !== null) {
      const code = 'code' in problem && typeof problem.code === 'string' ? problem.code : 'unknown';
      const title = 'title' in problem && typeof problem.title === 'string' ? problem.title : '';
      return { code: printable(code), title: printable(title) };
    }
  } catch {
    // told by the code below
  }
  return { code: 'unknown', title: '' };
}
