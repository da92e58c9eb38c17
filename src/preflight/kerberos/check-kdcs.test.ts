import { describe, expect, it } from '@jest/globals';
import { FakeClock } from '../../../test/fakes/fake-clock.ts';
import type { Asked, AskKdc } from '../../kerberos/kdc/ask-kdc.ts';
import { judgeKdcClocks, judgeKdcs, probeKdcs } from './check-kdcs.ts';

const principal = { components: ['kerbridge'], realm: 'R.TEST' };
const clock = new FakeClock();
const DOWN: Asked = { outcome: 'failed', code: 'ECONNREFUSED' };

const error = (code: number, aheadMs = 0, text?: string): Asked => ({
  outcome: 'answered',
  answer: { type: 'error', code, serverTime: clock.now() + aheadMs, text },
});
const WELL = error(25);
const TICKET: Asked = { outcome: 'answered', answer: { type: 'ticket' } };

interface Call {
  readonly transport: string;
  readonly host: string;
  readonly enctypes: readonly number[];
}

/** What each host says by each transport. */
const run = async (hosts: Readonly<Record<string, { tcp?: Asked; udp?: Asked; time?: Asked }>>) => {
  const calls: Call[] = [];
  const askKdc: AskKdc = (transport, { host }, { enctypes }) => {
    calls.push({ transport, host, enctypes });
    const says = hosts[host] ?? {};
    const isTime = !enctypes.includes(18);
    return Promise.resolve((isTime ? says.time : undefined) ?? says[transport] ?? DOWN);
  };
  const options = { cluster: 'main', principal, askKdc, clock, random: () => 0.5 };
  const kdcs = Object.keys(hosts).map((host) => ({ host, port: 88 }));
  const probes = await probeKdcs({ ...options, kdcs }, new AbortController().signal);
  return { calls, findings: judgeKdcs(probes, options), clocks: judgeKdcClocks(probes, 'main') };
};

describe('the KDCs, each by itself', () => {
  it('are well when they answer', async () => {
    const { findings, clocks, calls } = await run({ a: { tcp: WELL }, b: { tcp: TICKET, time: error(14) } });
    expect(findings).toEqual([
      { id: 'kdc:main/a:88', title: 'KDC a:88 of R.TEST', outcome: 'ok', detail: 'answers' },
      { id: 'kdc:main/b:88', title: 'KDC b:88 of R.TEST', outcome: 'ok', detail: 'answers' },
    ]);
    expect(clocks.map(({ id, outcome }) => `${id} ${outcome}`)).toEqual([
      'clock-kdc:main/a:88 ok',
      'clock-kdc:main/b:88 ok',
    ]);
    expect(calls.filter(({ transport }) => transport === 'udp')).toEqual([]);
  });

  it('are failures when none answers', async () => {
    const silent: Asked = { outcome: 'silent' };
    const { findings, clocks } = await run({ a: {}, b: { tcp: silent, udp: silent } });
    expect(findings.map(({ outcome, detail }) => `${outcome}: ${detail}`)).toEqual([
      'failed: TCP: connection refused (ECONNREFUSED); UDP: connection refused (ECONNREFUSED)',
      'failed: TCP: no answer; UDP: no answer',
    ]);
    expect(findings[0]?.fix).toMatch(
      /Start the KDC there, open port 88 .* take its kdc entry of R\.TEST out/,
    );
    expect(clocks).toEqual([]);
  });

  it('are warnings when another one answers', async () => {
    const { findings } = await run({ a: {}, b: { tcp: WELL } });
    expect(findings.map(({ outcome }) => outcome)).toEqual(['warning', 'ok']);
    expect(findings[0]?.fix).toContain('libkrb5 may wait ten seconds for it at each login');
  });

  it('are warnings when they answer by UDP only', async () => {
    const { findings, clocks } = await run({ a: { udp: WELL } });
    expect(findings).toMatchObject([
      { outcome: 'warning', fix: expect.stringContaining('Open TCP port 88') },
    ]);
    expect(clocks).toMatchObject([{ outcome: 'ok' }]);
  });

  it.each([
    [6, 'warning', /kadmin: addprinc/],
    [18, 'warning', /-unlock/],
    [68, 'failed', /name KDCs of that realm/],
    [7, 'failed', /name KDCs of that realm/],
    [14, 'warning', /keys of AES/],
    [12, 'warning', /log of the KDC/],
    [52, 'warning', /log of the KDC/],
    [60, 'warning', /log of the KDC/],
  ])('are explained by their error %d', async (code, outcome, fix) => {
    const { findings } = await run({ a: { tcp: error(code) } });
    expect(findings).toMatchObject([{ outcome, fix: expect.stringMatching(fix) }]);
  });

  it('of another realm are no reason why one that is down is no failure', async () => {
    const { findings } = await run({ a: {}, b: { tcp: error(68) } });
    expect(findings.map(({ outcome }) => outcome)).toEqual(['failed', 'failed']);
  });

  it('say by which error they do not do as they should', async () => {
    const { findings, clocks } = await run({ a: { tcp: error(60, 0, 'HANDLE_AUTHDATA') }, b: {} });
    expect(findings.map(({ outcome, detail }) => `${outcome}: ${detail}`)).toEqual([
      'warning: it answers with error 60 (HANDLE_AUTHDATA), and asks for no proof as it should',
      'failed: TCP: connection refused (ECONNREFUSED); UDP: connection refused (ECONNREFUSED)',
    ]);
    expect(clocks).toMatchObject([{ outcome: 'ok' }]);
  });

  it('may say by UDP that the answer takes TCP', async () => {
    const { findings } = await run({ a: { udp: error(52) } });
    expect(findings).toMatchObject([{ outcome: 'warning', detail: expect.stringContaining('by UDP only') }]);
  });

  it('may be something else', async () => {
    const { findings } = await run({ a: { tcp: { outcome: 'not-kerberos' } } });
    expect(findings[0]?.detail).toMatch(/^TCP: what answers is no KDC/);
  });

  it('have a clock that is told apart', async () => {
    const { findings, clocks } = await run({ a: { tcp: error(25, 400_000) } });
    expect(findings[0]?.outcome).toBe('ok');
    expect(clocks).toMatchObject([{ id: 'clock-kdc:main/a:88', outcome: 'failed' }]);
  });

  it('may tell no time', async () => {
    const { clocks } = await run({ a: { tcp: TICKET } });
    expect(clocks).toMatchObject([{ outcome: 'skipped', detail: 'it gives a ticket and tells no time' }]);
  });

  it('are given five seconds by each transport', async () => {
    const fake = new FakeClock();
    const askKdc: AskKdc = (_transport, _kdc, _request, signal) =>
      new Promise((resolve) => {
        signal.addEventListener('abort', () => resolve({ outcome: 'silent' }));
      });
    const options = { cluster: 'main', principal, askKdc, clock: fake, random: () => 0.5 };
    const probes = probeKdcs(
      { ...options, kdcs: [{ host: '2001:db8::1', port: 88 }] },
      new AbortController().signal,
    );
    await fake.advance(10_000);
    expect(judgeKdcs(await probes, options)).toMatchObject([
      { id: 'kdc:main/[2001:db8::1]:88', outcome: 'failed', detail: 'TCP: no answer; UDP: no answer' },
    ]);
    expect(fake.sleeping).toBe(0);
  });
});
