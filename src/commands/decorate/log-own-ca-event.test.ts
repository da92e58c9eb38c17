import { describe, expect, it } from '@jest/globals';
import { observedRefusals } from '../../../test/fakes/observed-refusals.ts';
import { logOwnCaEvent } from './log-own-ca-event.ts';
import type { OwnCaEvent } from './own-ca.ts';

const error = new Error('no');

describe('logOwnCaEvent', () => {
  it.each<[OwnCaEvent, Record<string, unknown>]>([
    [
      { event: 'changed', actions: ['issue-serving'] },
      { level: 'info', actions: ['issue-serving'] },
    ],
    [{ event: 'outrun' }, { level: 'info' }],
    [{ event: 'bundle-written' }, { level: 'info' }],
    [
      { event: 'bundle-failed', error },
      { level: 'warn', error: expect.objectContaining({ message: 'no' }) },
    ],
    [
      { event: 'failed', error },
      { level: 'warn', error: expect.objectContaining({ message: 'no' }) },
    ],
  ])('logs and counts %j', async (event, fields) => {
    const { logger, metrics, log } = observedRefusals();
    logOwnCaEvent(event, { logger, metrics, secretName: 's' });
    expect(log()).toEqual([
      expect.objectContaining({ ...fields, secretName: 's', message: expect.stringMatching(/./) }),
    ]);
    const { values } = await metrics.ownCaEvents.get();
    expect(values).toEqual([{ labels: { type: event.event }, value: 1 }]);
  });
});
