import { describe, expect, it } from '@jest/globals';
import { FakeClock } from '../../../test/fakes/fake-clock.ts';
import type { SpnegoProcessEvent } from '../../kerberos/spnego-process-event.ts';
import { createLogger } from '../../observability/logger.ts';
import { logSpnegoEvent } from './log-spnego-event.ts';

const lineOf = (event: SpnegoProcessEvent): unknown => {
  const lines: string[] = [];
  const destination = { write: (line: string) => lines.push(line) };
  logSpnegoEvent(createLogger({ level: 'debug', clock: new FakeClock(), destination }), 'main', event);
  expect(lines).toHaveLength(1);
  return JSON.parse(lines[0] ?? '');
};

describe('logSpnegoEvent', () => {
  it('tells why a step failed, and what to do', () => {
    const reason = 'no SPNEGO token for HTTP@nn as kerbridge@R: Preauthentication failed';
    const fix = 'Export the keytab anew';
    const failed = { type: 'step', service: 'HTTP@nn', outcome: 'credentials', durationMs: 7 } as const;
    expect(lineOf({ ...failed, reason, fix })).toMatchObject({
      level: 'warn',
      message: 'Kerberos step failed',
      cluster: 'main',
      outcome: 'credentials',
      reason,
      fix,
    });
  });

  it('does not warn of a step that went well', () => {
    expect(lineOf({ type: 'step', service: 'HTTP@nn', outcome: 'ok', durationMs: 7 })).toMatchObject({
      level: 'debug',
      message: 'Kerberos step done',
    });
  });

  it('warns of a keytab that cannot be used', () => {
    const reason = 'there is no keytab at /k';
    expect(lineOf({ type: 'keytab-unusable', reason, fix: 'Mount one' })).toMatchObject({
      level: 'warn',
      message: 'Keytab cannot be used; the tickets at hand are, until they end',
      reason,
      fix: 'Mount one',
    });
  });
});
