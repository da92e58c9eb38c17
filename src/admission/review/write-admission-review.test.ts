import { describe, expect, it } from '@jest/globals';
import type { AdmissionDecision } from './admission-decision.ts';
import { type ReviewAnswer, statusOf, writeAdmissionReview } from './write-admission-review.ts';

const answer = (given: ReviewAnswer) =>
  JSON.parse(writeAdmissionReview('u-1', given)) as { response: Record<string, unknown> };

const allowed = (rest: Omit<Extract<AdmissionDecision, { outcome: 'allowed' }>, 'outcome'> = {}) =>
  answer({ outcome: 'allowed', ...rest }).response;

describe('writeAdmissionReview says no', () => {
  it.each<[ReviewAnswer, number, string, string]>([
    [
      { outcome: 'refused', reason: 'stamp-altered', text: 'ask alice', user: 'alice' },
      403,
      'Forbidden',
      'ask alice',
    ],
    [
      { outcome: 'could-not-check', dependency: 'kubernetes', text: 'try again' },
      503,
      'ServiceUnavailable',
      'try again',
    ],
    [{ outcome: 'oversize', text: 'make it smaller' }, 413, 'RequestEntityTooLarge', 'make it smaller'],
    [
      { outcome: 'failed' },
      500,
      'InternalError',
      'Kerbridge could not check this because of a fault of its own: try again, and tell its operators',
    ],
  ])('to %j', (given, code, reason, message) => {
    expect(answer(given)).toEqual({
      apiVersion: 'admission.k8s.io/v1',
      kind: 'AdmissionReview',
      response: { uid: 'u-1', allowed: false, status: { status: 'Failure', code, reason, message } },
    });
  });

  it.each(['refused', 'could-not-check', 'oversize'] as const)(
    'in one line that has an end: %s',
    (outcome) => {
      const { message } = statusOf({
        outcome,
        reason: 'r',
        dependency: 'd',
        text: `a\n${'b'.repeat(5_000)}`,
      });
      expect(message).toMatch(/^a\\u\{a\}b+\.\.\.$/);
      expect(message).toHaveLength(1_024);
    },
  );
});

describe('writeAdmissionReview says yes', () => {
  it('and no more than that', () => {
    expect(answer({ outcome: 'allowed' })).toEqual({
      apiVersion: 'admission.k8s.io/v1',
      kind: 'AdmissionReview',
      response: { uid: 'u-1', allowed: true },
    });
  });

  it('without a patch where there is nothing to change: the API server takes no empty one', () => {
    expect(allowed({ patch: [], warnings: [], auditAnnotations: {}, user: 'alice' })).toEqual({
      uid: 'u-1',
      allowed: true,
    });
  });

  it('with a patch', () => {
    const patch = [
      { op: 'add', path: '/metadata/annotations/a~1b', value: 'é' },
      { op: 'remove', path: '/x' },
    ] as const;
    const { patchType, patch: written } = allowed({ patch });
    expect(patchType).toBe('JSONPatch');
    expect(JSON.parse(Buffer.from(String(written), 'base64').toString())).toEqual(patch);
  });

  it('with warnings, few and short', () => {
    expect(allowed({ warnings: ['a\nb', 'c'.repeat(200)] })['warnings']).toEqual([
      'a\\u{a}b',
      `${'c'.repeat(117)}...`,
    ]);
    const most = Array.from({ length: 8 }, (_each, index) => `w${index}`);
    expect(allowed({ warnings: most })['warnings']).toEqual(most);
    expect(allowed({ warnings: [...most, 'w8', 'w9'] })['warnings']).toEqual([
      ...most.slice(0, 7),
      'and 3 more warnings of Kerbridge',
    ]);
  });

  it('with audit annotations, in one line each', () => {
    const { auditAnnotations } = allowed({ auditAnnotations: { user: 'alice', 'a.b_c-d': 'x\ny' } });
    expect(auditAnnotations).toEqual({ user: 'alice', 'a.b_c-d': 'x\\u{a}y' });
  });

  it.each(['', 'a/b', 'a b', '-a', 'a-', 'a\n', 'a'.repeat(64)])(
    'but not with the audit annotation %j, which the API server would drop',
    (key) => {
      expect(() => allowed({ auditAnnotations: { [key]: 'x' } })).toThrow(RangeError);
    },
  );
});
