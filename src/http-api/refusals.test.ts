import { describe, expect, it } from '@jest/globals';
import { observedRefusals } from '../../test/fakes/observed-refusals.ts';
import { FakeClock } from '../../test/fakes/fake-clock.ts';
import type { AuditEntry } from '../observability/audit-record.ts';
import { AuditUnavailableError } from '../observability/audit-stream.ts';
import { Refusals, SUMMARY_INTERVAL_MS } from './refusals.ts';

describe('Refusals', () => {
  it('counts each, and logs the first of a reason at once and the rest in one line', async () => {
    const { refusals, clock, log, counts } = observedRefusals();
    for (let request = 0; request < 1_000; request += 1) refusals.note('too-many-requests');
    refusals.note('malformed');
    expect(log()).toMatchObject([
      { level: 'warn', reason: 'too-many-requests', requests: 1 },
      { level: 'warn', reason: 'malformed', requests: 1 },
    ]);
    await clock.advance(SUMMARY_INTERVAL_MS);
    expect(log().slice(2)).toMatchObject([{ reason: 'too-many-requests', requests: 999 }]);
    expect(await counts()).toEqual({ 'too-many-requests': 1_000, malformed: 1 });
  });

  it('audits the same, without waiting and whatever comes of it', async () => {
    const audit: AuditEntry[] = [];
    const clock = new FakeClock();
    const { metrics, logger } = observedRefusals(clock);
    const refusals = new Refusals({
      metrics,
      logger,
      clock,
      writeAudit: async (entry) => {
        audit.push(entry);
        throw new AuditUnavailableError('failed');
      },
    });
    for (let request = 0; request < 1_000; request += 1) refusals.note('too-many-requests');
    refusals.note('headers-too-large');
    refusals.note('too-many-connections');
    await clock.advance(SUMMARY_INTERVAL_MS);
    const many = { decision: 'limited', status: 503, code: 'overloaded', reason: 'too-many-requests' };
    expect(audit).toEqual([
      { ...many, requests: 1 },
      {
        decision: 'malformed',
        status: 431,
        code: 'headers-too-large',
        reason: 'headers-too-large',
        requests: 1,
      },
      { decision: 'limited', reason: 'too-many-connections', requests: 1 },
      { ...many, requests: 999 },
    ]);
  });

  it('logs and audits what waits when it is asked to, and none of it again', async () => {
    const { refusals, clock, log } = observedRefusals();
    for (let request = 0; request < 10; request += 1) refusals.note('too-slow');
    refusals.note('connect');
    refusals.flush();
    refusals.flush();
    await clock.advance(SUMMARY_INTERVAL_MS);
    expect(log()).toMatchObject([
      { reason: 'too-slow', requests: 1 },
      { reason: 'connect', requests: 1 },
      { reason: 'too-slow', requests: 9 },
    ]);
    expect(log()).toHaveLength(3);
  });

  it('goes on with one line an interval, and starts anew after a quiet one', async () => {
    const { refusals, clock, log } = observedRefusals();
    for (let interval = 0; interval < 3; interval += 1) {
      refusals.note('connect');
      refusals.note('connect');
      await clock.advance(SUMMARY_INTERVAL_MS);
    }
    expect(log().map(({ requests }) => requests)).toEqual([1, 1, 2, 2]);
    await clock.advance(SUMMARY_INTERVAL_MS);
    expect(clock.sleeping).toBe(0);
    refusals.note('connect');
    expect(log()).toHaveLength(5);
  });
});
