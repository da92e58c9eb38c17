import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { FakeClock } from '../../../test/fakes/fake-clock.ts';
import { checkReady, checkServer } from './check-server.ts';
import { EXPIRES_SOON_MS, judgeValidity } from './judge-certificates.ts';
import type { ServerProbe } from './probe-server.ts';
import { readChain } from './read-chain.ts';

const fixture = (name: string): string =>
  readFileSync(join(import.meta.dirname, '../../../test/fixtures/tls', name), 'utf8');
const { signal } = new AbortController();
const url = new URL('https://kerbridge.kerbridge:8443/prefix/');
const seen: ServerProbe = {
  chain: readChain(fixture('renewed.crt')),
  refusal: undefined,
  status: 401,
  contentType: 'application/problem+json; charset=utf-8',
  body: '{}',
};

describe('checkServer', () => {
  const check = (change: Partial<ServerProbe>) =>
    checkServer(
      { url, ca: undefined, clock: new FakeClock(), probe: () => Promise.resolve({ ...seen, ...change }) },
      signal,
    );

  it('asks below the path of the URL', async () => {
    const asked: string[] = [];
    const probe = (options: { readonly url: URL }) => {
      asked.push(options.url.href);
      return Promise.resolve(seen);
    };
    const found = await checkServer({ url, ca: undefined, clock: new FakeClock(), probe }, signal);
    expect(asked).toEqual(['https://kerbridge.kerbridge:8443/prefix/v1/credentials']);
    expect(found.map(({ outcome }) => outcome)).toEqual(['ok', 'ok', 'ok']);
  });

  it.each([
    ['another server', { status: 401, contentType: 'text/html' }, 'server', 'failed'],
    ['a server that can check nobody', { status: 503 }, 'server', 'warning'],
    ['whoever hands out without a token', { status: 200 }, 'server', 'failed'],
    ['a name that is not in it', { refusal: 'ERR_TLS_CERT_ALTNAME_INVALID' }, 'server-certificate', 'failed'],
    [
      'an authority that nobody knows',
      { refusal: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' },
      'server-certificate',
      'failed',
    ],
    ['an expired one', { chain: readChain(fixture('expired.crt')) }, 'server-validity', 'failed'],
  ] as const)('%s', async (_name, change, id, outcome) => {
    const odd = (await check(change)).filter((each) => each.outcome !== 'ok');
    expect(odd).toMatchObject([{ id, outcome, fix: expect.any(String) }]);
  });
});

describe('checkReady', () => {
  const check = (status: number, body: string) =>
    checkReady(
      {
        url: new URL('http://kerbridge:8081/readyz'),
        probe: () => Promise.resolve({ ...seen, chain: [], status, body }),
      },
      signal,
    );
  const report = (blocking: boolean): string =>
    JSON.stringify({
      status: blocking ? 'not-ready' : 'ready',
      dependencies: [
        { name: 'audit', blocking: false },
        { name: 'kubernetes', blocking },
      ],
    });

  it.each([
    [200, report(false), 'ok', 'ready'],
    [503, report(true), 'failed', 'not ready: kubernetes'],
    [503, report(false), 'failed', 'not ready: it is shutting down'],
    [200, 'hello', 'warning', 'something else answers there (200)'],
    [200, '{"status":"ready"}', 'warning', 'something else answers there (200)'],
    [503, '<html>', 'warning', 'something else answers there (503)'],
    [404, '[]', 'warning', 'something else answers there (404)'],
  ])('%i %s: %s', async (status, body, outcome, detail) => {
    expect(await check(status, body)).toMatchObject([{ outcome, detail }]);
  });
});

describe('judgeValidity', () => {
  const chain = readChain(fixture('renewed.crt'));
  const end = Date.parse('2126-01-01T00:00:00Z');
  it.each([
    ['ok', end - EXPIRES_SOON_MS],
    ['warning', end - EXPIRES_SOON_MS + 1],
    ['warning', end],
    ['failed', end + 1],
    ['failed', Date.parse('2019-12-31T23:59:59Z')],
  ])('%s at %i', (outcome, now) => {
    expect(judgeValidity({ id: 'v', title: 'v' }, chain, now)).toMatchObject([{ outcome }]);
  });
});
