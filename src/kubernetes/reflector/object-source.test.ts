import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { loadKubeConfig } from '../load-kube-config.ts';
import { Transport } from '../transport.ts';
import { POD } from '../pod-reflector/pod-reflector.ts';
import { createHttpObjectSource, type ObjectSource } from './object-source.ts';

type Answer = (request: http.IncomingMessage, response: http.ServerResponse) => void;

let folder: string;
let server: http.Server;
let answer: Answer;
let seen: { readonly path: string; readonly query: object; readonly accept: string | undefined }[];
let transport: Transport;
let source: ObjectSource;
const caller = new AbortController();

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kerbridge-source-'));
  seen = [];
  server = http.createServer((request, response) => {
    const url = new URL(request.url ?? '', 'http://localhost');
    seen.push({
      path: url.pathname,
      query: Object.fromEntries(url.searchParams),
      accept: request.headers.accept,
    });
    answer(request, response);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const kubeconfig = join(folder, 'kubeconfig');
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  await writeFile(
    kubeconfig,
    JSON.stringify({
      clusters: [{ name: 'c', cluster: { server: address, 'insecure-skip-tls-verify': true } }],
      users: [{ name: 'u', user: { token: 'our-own' } }],
      contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
      'current-context': 'x',
    }),
  );
  transport = new Transport({ kubeConfig: loadKubeConfig({ kubeconfig }), timeoutMs: 1_000 });
  source = createHttpObjectSource({ transport, server: address, of: POD });
});

afterEach(async () => {
  transport.close();
  server.closeAllConnections();
  await new Promise((resolve) => {
    server.close(resolve);
  });
  await rm(folder, { recursive: true });
});

const JSON_TYPE = { 'content-type': 'application/json' };
const send =
  (body: unknown, status = 200, headers: http.OutgoingHttpHeaders = JSON_TYPE): Answer =>
  (_, response) => {
    response.writeHead(status, headers).end(typeof body === 'string' ? body : JSON.stringify(body));
  };
const list = (change: object = {}, metadata: object = {}) => ({
  kind: 'PodList',
  metadata: { resourceVersion: '7', ...metadata },
  items: [],
  ...change,
});
const page = (continueFrom?: string) => source.listPage(continueFrom, caller.signal);
const watch = (signal = caller.signal) =>
  source.openWatch({ resourceVersion: '7', timeoutSeconds: 300 }, signal);
async function text(body: AsyncIterable<Buffer>): Promise<string> {
  let all = '';
  for await (const chunk of body) all += chunk.toString();
  return all;
}

describe('both', () => {
  it.each<[number, string]>([
    [401, 'unauthorized'],
    [403, 'forbidden'],
    [429, 'too-many-requests'],
    [500, 'server-error'],
    [503, 'server-error'],
    [410, 'bad-reply'],
    [400, 'bad-reply'],
    [404, 'bad-reply'],
    [204, 'bad-reply'],
    [307, 'bad-reply'],
  ])('%d is %s', async (status, code) => {
    answer = send('', status, { ...JSON_TYPE, location: '/elsewhere' });
    await expect(page()).rejects.toMatchObject({ name: 'KubernetesApiError', code, httpStatus: status });
    await expect(watch()).rejects.toMatchObject({ name: 'KubernetesApiError', code, httpStatus: status });
    expect(seen).toHaveLength(2);
  });

  it.each([
    ['7', 7_000],
    ['0', 0],
    ['Wed, 21 Oct 2026 07:28:00 GMT', undefined],
    ['-1', undefined],
    ['99999999', undefined],
    [undefined, undefined],
  ])('429 says how long to wait: %s is %s ms', async (header, retryAfterMs) => {
    answer = send('', 429, header === undefined ? {} : { 'retry-after': header });
    await expect(page()).rejects.toMatchObject({ retryAfterMs });
    await expect(watch()).rejects.toMatchObject({ retryAfterMs });
  });

  it.each([
    ['a web page', 'text/html'],
    ['another encoding', 'application/vnd.kubernetes.protobuf'],
    ['nothing', undefined],
  ])('do not take %s for an answer', async (_, type) => {
    answer = send(list(), 200, type === undefined ? {} : { 'content-type': type });
    await expect(page()).rejects.toMatchObject({ code: 'bad-reply' });
    await expect(watch()).rejects.toMatchObject({ code: 'bad-reply' });
  });

  it('ask for JSON, of pods that have the label', async () => {
    const labelled = createHttpObjectSource({
      transport,
      of: POD,
      server: `http://127.0.0.1:${(server.address() as AddressInfo).port}/behind/`,
      labelSelector: 'a=b,c in (d, e)',
    });
    answer = send(list());
    await labelled.listPage(undefined, caller.signal);
    await text(await labelled.openWatch({ resourceVersion: '7', timeoutSeconds: 300 }, caller.signal));
    const labelSelector = 'a=b,c in (d, e)';
    expect(seen).toMatchObject([
      { path: '/behind/api/v1/pods', query: { labelSelector }, accept: 'application/json' },
      { path: '/behind/api/v1/pods', query: { labelSelector }, accept: 'application/json' },
    ]);
  });
});

describe('listPage', () => {
  it('asks for the state of now, in pages', async () => {
    answer = send(list({ items: [{ a: 1 }] }, { continue: 'next' }));
    expect(await page()).toEqual({ items: [{ a: 1 }], resourceVersion: '7', continueFrom: 'next' });
    answer = send(list());
    expect(await page('next')).toEqual({ items: [], resourceVersion: '7', continueFrom: undefined });
    expect(seen.map(({ query }) => query)).toEqual([{ limit: '250' }, { limit: '250', continue: 'next' }]);
  });

  it.each([
    ['another kind', list({ kind: 'ServiceList' })],
    ['no items', list({ items: null })],
    ['no version', list({}, { resourceVersion: '' })],
    ['a continue token that is no string', list({}, { continue: 1 })],
    ['no JSON', '{"kind":'],
    ['null', null],
  ])('does not take %s for a list', async (_, body) => {
    answer = send(body);
    await expect(page()).rejects.toMatchObject({ code: 'bad-reply', httpStatus: undefined });
  });

  it('does not take bytes that are no UTF-8', async () => {
    answer = (_, response) => {
      response.writeHead(200, JSON_TYPE).end(Buffer.from([...Buffer.from('{"kind":"'), 0xff]));
    };
    await expect(page()).rejects.toMatchObject({ code: 'bad-reply' });
  });

  it('asks for smaller pages when one is too large, and goes on so', async () => {
    answer = (request, response) => {
      const limit = Number(new URL(request.url ?? '', 'http://localhost').searchParams.get('limit'));
      send(list({ padding: 'x'.repeat(limit * 70_000) }))(request, response);
    };
    await page('from');
    await page('from');
    expect(seen.map(({ query }) => query)).toEqual(
      ['250', '125', '63', '63'].map((limit) => ({ limit, continue: 'from' })),
    );
  });

  it('gives up when a single pod is too large', async () => {
    answer = send('x'.repeat(9 * 1024 * 1024));
    await expect(page()).rejects.toMatchObject({ code: 'bad-reply' });
    expect(seen.at(-1)).toMatchObject({ query: { limit: '1' } });
  });
});

describe('readVersion', () => {
  it('asks for the state of now, of one pod, whatever its labels', async () => {
    const labelled = createHttpObjectSource({
      transport,
      of: POD,
      server: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      labelSelector: 'a=b',
    });
    answer = send(list({ items: [{ a: 1 }] }, { continue: 'next' }));
    expect(await labelled.readVersion(caller.signal)).toBe('7');
    expect(seen).toMatchObject([{ path: '/api/v1/pods', query: { limit: '1' } }]);
    expect(seen[0]?.query).toEqual({ limit: '1' });
  });

  it.each([
    ['an error', send('', 500), 'server-error'],
    ['no version', send(list({}, { resourceVersion: '' })), 'bad-reply'],
  ])('does not take %s for one', async (_, reply, code) => {
    answer = reply;
    await expect(source.readVersion(caller.signal)).rejects.toMatchObject({ code });
  });
});

describe('openWatch', () => {
  it('asks for what comes after, with bookmarks', async () => {
    answer = send('a\nb\n');
    expect(await text(await watch())).toBe('a\nb\n');
    expect(seen).toMatchObject([
      {
        path: '/api/v1/pods',
        query: { watch: '1', allowWatchBookmarks: 'true', resourceVersion: '7', timeoutSeconds: '300' },
      },
    ]);
  });

  it('gives what has come, while more is to come', async () => {
    answer = (_, response) => {
      response.writeHead(200, JSON_TYPE).write('a\n');
    };
    for await (const chunk of await watch()) {
      expect(chunk.toString()).toBe('a\n');
      break;
    }
  });

  it('says when the connection breaks', async () => {
    answer = (_, response) => {
      response.writeHead(200, JSON_TYPE).write('a\n', () => response.destroy());
    };
    await expect(text(await watch())).rejects.toMatchObject({
      name: 'KubernetesApiError',
      code: 'unreachable',
    });
  });

  it.each([
    ['before the reply', false],
    ['after it', true],
  ])('closes its connection when it is aborted %s', async (_, replies) => {
    const mine = new AbortController();
    const arrived = Promise.withResolvers<void>();
    const closed = new Promise((resolve) => {
      answer = (__, response) => {
        response.on('close', resolve);
        if (replies) response.writeHead(200, JSON_TYPE).flushHeaders();
        arrived.resolve();
      };
    });
    const reading = watch(mine.signal).then(text);
    const rejected = expect(reading).rejects.toThrow('enough');
    await arrived.promise;
    mine.abort(new Error('enough'));
    await rejected;
    await closed;
  });

  it('has a connection of its own each time', async () => {
    const sockets = new Set<unknown>();
    answer = (request, response) => {
      sockets.add(request.socket);
      send(list())(request, response);
    };
    await page();
    await page();
    expect(sockets.size).toBe(1);
    await text(await watch());
    await text(await watch());
    expect(sockets.size).toBe(3);
  });
});

describe('Transport.stream', () => {
  const stream = (timeoutMs: number) =>
    transport.stream(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`, {
      signal: caller.signal,
      timeoutMs,
    });

  it('has a time-out until the reply begins', async () => {
    answer = () => undefined;
    await expect(stream(20)).rejects.toMatchObject({ code: 'timeout' });
  });

  it('has none after that', async () => {
    const begun = Promise.withResolvers<http.ServerResponse>();
    answer = (_, response) => {
      response.writeHead(200, JSON_TYPE).flushHeaders();
      begun.resolve(response);
    };
    const { body } = await stream(50);
    const response = await begun.promise;
    setTimeout(() => response.end('late'), 100);
    expect(await text(body)).toBe('late');
  });
});
