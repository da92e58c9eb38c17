import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { FakeClock } from '../../../test/fakes/fake-clock.ts';
import { parseServeConfig } from '../../config/serve-config.ts';
import { CheckRun } from '../../preflight/check.ts';
import { systemClock } from '../../time/clock.ts';
import { tlsChecks } from './tls-checks.ts';

const fixture = (name: string): string => join(import.meta.dirname, '../../../test/fixtures/tls', name);

describe('tlsChecks', () => {
  it('looks at listen.tls when --ca-file is no good, and not at the server', async () => {
    const tls = { certFile: fixture('chain.crt'), keyFile: fixture('renewed.key') };
    const parsed = parseServeConfig({ listen: { tls } });
    const clock = new FakeClock();
    const checks = tlsChecks({
      sections: parsed.ok ? parsed.config : parsed.sections,
      // Nobody is asked there.
      url: new URL('https://localhost:1'),
      caFile: fixture('renewed.key'),
      clock: systemClock,
    }).filter(({ id }) => id !== 'server-ready');
    const found: string[] = [];
    for await (const { id, outcome } of new CheckRun({ clock, timeoutMs: 1_000 }).run(checks)) {
      found.push(`${id} ${outcome}`);
    }
    expect(found).toEqual([
      'ca-file failed',
      'tls-files ok',
      'tls-validity ok',
      'tls-chain ok',
      'tls-names ok',
      'server skipped',
    ]);
  });
});
