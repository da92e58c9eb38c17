import { expect, it } from '@jest/globals';
import { decideNextTry, type NextTryQuestion } from './decide-next-try.ts';
import type { Failure } from './fetch-session.ts';

const failure = (exitCode: Failure['exitCode'], more: Partial<Failure> = {}): Failure => ({
  exitCode,
  reason: '',
  requestId: '',
  retryAfterMs: 0,
  tryAtOnce: false,
  ...more,
});

const decide = (asked: Failure, more: Partial<NextTryQuestion> = {}) =>
  decideNextTry({ failure: asked, isFirst: false, backoffMs: 1000, now: 0, deadlineAt: 300_000, ...more });

it.each<[string, Failure, Partial<NextTryQuestion>, number]>([
  ['a refusal', failure(3), {}, 3],
  ['a refusal that names a time', failure(3, { retryAfterMs: 1000 }), {}, 3],
  ['a file that cannot be written', failure(5), {}, 5],
  ['an unusable input file at the first try', failure(2), { isFirst: true }, 2],
  ['a next try past the deadline', failure(4), { now: 299_001 }, 4],
  ['a Retry-After past the deadline', failure(4, { retryAfterMs: 300_001 }), {}, 4],
  ['no deadline to wait for', failure(4), { isFirst: true, deadlineAt: 0 }, 4],
  ['an unusable input file at the last try', failure(2), { now: 299_001 }, 4],
])('ends for %s', (_name, asked, more, exitCode) => {
  expect(decide(asked, more)).toEqual({ next: 'end', exitCode });
});

it.each<[string, Failure, Partial<NextTryQuestion>, number]>([
  ['after the backoff', failure(4), {}, 1000],
  ['just before the deadline', failure(4), { now: 299_000 }, 1000],
  ['after Retry-After where that is longer', failure(4, { retryAfterMs: 7000 }), {}, 7000],
  ['after the backoff where that is longer', failure(4, { retryAfterMs: 7 }), {}, 1000],
  ['when an input file became unusable', failure(2), {}, 1000],
  ['at once with another token', failure(3, { tryAtOnce: true, retryAfterMs: 5 }), {}, 0],
  [
    'at once with another token, whatever the deadline',
    failure(3, { tryAtOnce: true }),
    { deadlineAt: 0 },
    0,
  ],
])('tries again %s', (_name, asked, more, afterMs) => {
  expect(decide(asked, more)).toEqual({ next: 'try', afterMs });
});
