import { describe, expect, it } from '@jest/globals';
import { DecoratorWorld, pod } from '../../../test/fakes/decorator-world.ts';
import type { AdmissionDecision } from '../../admission/review/admission-decision.ts';
import { auditOnly, type Supposed } from './audit-only.ts';

const PATCH = [{ op: 'add', path: '/metadata/labels', value: {} }] as const;

async function suppose(decide: () => Promise<AdmissionDecision>) {
  const told: Supposed[] = [];
  const review = new DecoratorWorld().review({ object: pod('train') });
  const decision = await auditOnly(decide, (_, supposed) => told.push(supposed))(
    review,
    new AbortController().signal,
  );
  return { decision, told };
}

describe('auditOnly', () => {
  it.each<[string, AdmissionDecision, AdmissionDecision, Supposed[]]>([
    [
      'a refusal',
      { outcome: 'refused', reason: 'no-name', text: 'give it one', user: 'alice' },
      { outcome: 'allowed', warnings: ['Kerbridge would refuse this: give it one'] },
      [{ outcome: 'would-refuse', reason: 'no-name', user: 'alice' }],
    ],
    [
      'a refusal of nobody',
      { outcome: 'refused', reason: 'no-name', text: 'x' },
      { outcome: 'allowed', warnings: ['Kerbridge would refuse this: x'] },
      [{ outcome: 'would-refuse', reason: 'no-name' }],
    ],
    [
      'what could not be checked',
      { outcome: 'could-not-check', dependency: 'signing-keys', text: 'x' },
      { outcome: 'allowed' },
      [{ outcome: 'could-not-check', reason: 'signing-keys' }],
    ],
    [
      'a change',
      {
        outcome: 'allowed',
        patch: PATCH,
        user: 'alice',
        warnings: ['was bob'],
        auditAnnotations: { a: 'b' },
      },
      { outcome: 'allowed' },
      [{ outcome: 'would-change', user: 'alice' }],
    ],
    [
      'a change for nobody',
      { outcome: 'allowed', patch: PATCH },
      { outcome: 'allowed' },
      [{ outcome: 'would-change' }],
    ],
    ['nothing', { outcome: 'allowed', patch: [], user: 'alice' }, { outcome: 'allowed' }, []],
  ])('lets %s through as it is, and tells', async (_, given, decision, told) => {
    expect(await suppose(() => Promise.resolve(given))).toEqual({ decision, told });
  });

  it('leaves a fault to the webhook, which tells it with the error', async () => {
    await expect(suppose(() => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
  });
});
