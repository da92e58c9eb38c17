import { expect } from '@jest/globals';
import type { ServeProcess } from '../serve-process.ts';
import type { Answer } from './serve-world.ts';

/** What callers may read, by code. */
const TITLES = {
  'authentication-unavailable': 'The caller cannot be checked now',
  'identity-unavailable': 'The user of this pod cannot be determined now',
  'audit-unavailable': 'The decision cannot be recorded now',
  'hadoop-unavailable': 'Hadoop cannot be asked now',
  'kerberos-unavailable': 'Kerberos authentication to Hadoop fails now',
  overloaded: 'Too many requests at once',
} as const;

/**
 * To the caller: 503, when to come back, and nothing of anybody's credentials.
 * @returns seconds of Retry-After
 */
export function expectUnavailable(answer: Answer, code: keyof typeof TITLES): number {
  expect(answer.status).toBe(503);
  expect(answer.json).toEqual({
    status: 503,
    code,
    title: TITLES[code],
    requestId: answer.headers.get('x-request-id'),
  });
  expect(answer.headers.get('etag')).toBeNull();
  expect(answer.headers.get('cache-control')).toBe('no-store');
  const retryAfter = Number(answer.headers.get('retry-after'));
  expect(retryAfter).toBeGreaterThanOrEqual(2);
  expect(retryAfter).toBeLessThanOrEqual(10);
  return retryAfter;
}

/** That, and one line of the audit that says what could not be asked. `more` is of that line. */
export async function expectCouldNotCheck(
  serve: Pick<ServeProcess, 'auditLineOf'>,
  answer: Answer,
  code: keyof typeof TITLES,
  { dependency, ...more }: { readonly dependency: string } & Record<string, unknown>,
): Promise<void> {
  expectUnavailable(answer, code);
  const line = await serve.auditLineOf(answer.json['requestId']);
  expect(line).toMatchObject({ decision: 'could-not-check', status: 503, code, dependency, ...more });
  expect(line).not.toHaveProperty('sequenceNumbers');
}
