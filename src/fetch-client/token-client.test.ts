import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { RequestListener } from 'node:http';
import { text } from 'node:stream/consumers';
import { credentialsFile } from '../../test/fakes/credentials-file.ts';
import { HttpServers } from '../../test/fakes/http-servers.ts';
import { FakeClock } from '../../test/fakes/fake-clock.ts';
import { Secret } from '../observability/secret.ts';
import { systemClock } from '../time/clock.ts';
import { CaFileError } from './read-ca-file.ts';
import { ServiceAccountTokenFileError } from './read-service-account-token.ts';
import { TokenClient, type TokenClientOptions } from './token-client.ts';

const servers = new HttpServers();
const { signal } = new AbortController();
let tokens: string[];
let seen: string[];

beforeEach(() => {
  tokens = ['a.b.1'];
  seen = [];
});
afterEach(() => servers.close());

/** Reads the tokens in their order, and then the last one. */
async function start(
  listener: RequestListener,
  more: Partial<TokenClientOptions> = {},
): Promise<TokenClient> {
  return new TokenClient({
    url: await servers.http((request, response) => {
      seen.push(`${request.method} ${request.url} ${request.headers.authorization}`);
      listener(request, response);
    }),
    selection: {},
    clock: systemClock,
    timeoutMs: 10_000,
    readServiceAccountToken: () =>
      Promise.resolve(new Secret((tokens.length > 1 ? tokens.shift() : tokens[0]) ?? '')),
    readCa: () => Promise.resolve(undefined),
    ...more,
  });
}

const file: RequestListener = (_request, response) => {
  response.writeHead(200, { 'Content-Type': 'application/octet-stream' }).end(credentialsFile());
};

const problem =
  (status: number): RequestListener =>
  (_request, response) => {
    response
      .writeHead(status, { 'Content-Type': 'application/problem+json' })
      .end('{"code":"c","title":"t"}');
  };

describe('getCredentials', () => {
  it('reads the service-account token anew for each try', async () => {
    tokens = ['a.b.1', 'a.b.2'];
    const client = await start(file);
    await client.getCredentials('', { signal });
    await client.getCredentials('', { signal });
    expect(seen).toEqual(['GET /v1/credentials Bearer a.b.1', 'GET /v1/credentials Bearer a.b.2']);
  });

  it.each([
    ['the time-out when the end is later', 2000, 60_000, 2],
    ['until the end when that is sooner', 60_000, 2000, 2],
    ['a second at least', 60_000, -5000, 1],
    ['the time-out when there is no end', 2000, undefined, 2],
  ])('gives a request %s', async (_name, timeoutMs, leftMs, seconds) => {
    const clock = new FakeClock();
    const asked = Promise.withResolvers<void>();
    const client = await start(() => asked.resolve(), { clock, timeoutMs });
    const endsAt = leftMs === undefined ? undefined : clock.now() + leftMs;
    const outcome = client.getCredentials('', { signal, endsAt });
    await asked.promise;
    await clock.advance(seconds * 1000);
    const reason: unknown = expect.stringMatching(new RegExp(`^no answer from .* within ${seconds} s$`));
    expect(await outcome).toMatchObject({ outcome: 'not-reached', reason });
  });

  it.each([
    [401, ['a.b.1', 'a.b.2'], true],
    [401, ['a.b.1', 'a.b.1'], false],
    [403, ['a.b.1', 'a.b.2'], undefined],
  ])('after a %d looks whether the file has another token: %j', async (status, read, tokenReplaced) => {
    tokens = [...read];
    const client = await start(problem(status));
    const outcome = await client.getCredentials('', { signal });
    expect(outcome.outcome).toBe('refused');
    expect(outcome.tokenReplaced).toBe(tokenReplaced);
  });

  it('takes a token file that went away after a 401 for no other token', async () => {
    let reads = 0;
    const client = await start(problem(401), {
      readServiceAccountToken: async () => {
        reads += 1;
        if (reads > 1) throw new ServiceAccountTokenFileError('gone');
        return await Promise.resolve(new Secret('a.b.c'));
      },
    });
    expect(await client.getCredentials('', { signal })).toMatchObject({
      outcome: 'refused',
      tokenReplaced: false,
    });
  });

  it.each([
    [
      'token',
      { readServiceAccountToken: () => Promise.reject(new ServiceAccountTokenFileError('no token')) },
    ],
    ['token', { readCa: () => Promise.reject(new CaFileError('no token')) }],
  ])('asks nobody without a %s that can be used', async (_name, more) => {
    const client = await start(file, more);
    const unusable = { outcome: 'unusable', reason: 'no token' };
    expect(await client.getCredentials('', { signal })).toEqual(unusable);
    expect(await client.reportRejected('7', { signal })).toEqual(unusable);
    expect(seen).toEqual([]);
  });
});

describe('reportRejected', () => {
  it('sends the number as JSON', async () => {
    let body = '';
    let type: string | undefined;
    const client = await start((request, response) => {
      type = request.headers['content-type'];
      void (async () => {
        body = await text(request);
        response.writeHead(204).end();
      })();
    });
    expect(await client.reportRejected('-7', { signal })).toEqual({ outcome: 'reported' });
    expect([JSON.parse(body), type]).toEqual([{ sequenceNumber: -7 }, 'application/json']);
    expect(seen).toEqual(['POST /v1/credentials/rejected Bearer a.b.1']);
  });

  it.each([
    ['200', 200, { outcome: 'reported' }],
    ['202', 202, { outcome: 'reported' }],
    ['404', 404, { outcome: 'unknown' }],
    ['405', 405, { outcome: 'unknown' }],
    ['403', 403, { outcome: 'refused', status: 403 }],
    ['429', 429, { outcome: 'not-reached' }],
    ['503', 503, { outcome: 'not-reached' }],
    ['302', 302, { outcome: 'not-reached' }],
  ])('takes a %s for what it is', async (_name, status, expected) => {
    const client = await start(problem(status));
    expect(await client.reportRejected('7', { signal })).toMatchObject(expected);
  });

  it('takes the 404 of a proxy for a server that takes no reports, too', async () => {
    const client = await start((_request, response) => response.writeHead(404).end());
    expect(await client.reportRejected('7', { signal })).toEqual({ outcome: 'unknown' });
  });
});
