import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Secret } from '../observability/secret.ts';
import type { KubernetesApiError } from './kubernetes-api-error.ts';
import { type KubernetesApi, loadKubernetesApi } from './kubernetes-api.ts';
import type { SecretRecords } from './secret-records.ts';

const TYPE = 'kerbridge.dev/token-record';
const SEKRIT = 'a-text-that-nobody-may-see';
const VERSION = { uid: 'u-1', resourceVersion: '7' };

type Answer = (request: http.IncomingMessage, response: http.ServerResponse) => void;

let folder: string;
let server: http.Server;
let answer: Answer;
let seen: { readonly method: string | undefined; readonly url: string | undefined; readonly body: string }[];
let api: KubernetesApi;
let secrets: SecretRecords;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kerbridge-secrets-'));
  seen = [];
  server = http.createServer((request, response) => {
    void (async () => {
      seen.push({ method: request.method, url: request.url, body: await text(request) });
      answer(request, response);
    })();
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const kubeconfig = join(folder, 'kubeconfig');
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/behind/`;
  await writeFile(
    kubeconfig,
    JSON.stringify({
      clusters: [{ name: 'c', cluster: { server: address, 'insecure-skip-tls-verify': true } }],
      users: [{ name: 'u', user: { token: 'our-own' } }],
      contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
      'current-context': 'x',
    }),
  );
  api = loadKubernetesApi({ kubeconfig, timeoutMs: 1_000 });
  secrets = api.createSecretRecords({ namespace: 'kb', type: TYPE, key: 'record', labels: { a: 'b' } });
});

afterEach(async () => {
  api.close();
  server.closeAllConnections();
  await new Promise((resolve) => {
    server.close(resolve);
  });
  await rm(folder, { recursive: true });
});

const send =
  (status: number, body: unknown): Answer =>
  (_, response) => {
    response
      .writeHead(status, { 'content-type': 'application/json' })
      .end(typeof body === 'string' ? body : JSON.stringify(body));
  };
const secret = (change: object = {}, metadata: object = {}) => ({
  kind: 'Secret',
  metadata: { namespace: 'kb', name: 'one', ...VERSION, ...metadata },
  type: TYPE,
  data: { record: Buffer.from(SEKRIT).toString('base64') },
  ...change,
});
const status = (code: number, reason: string, details: object = { name: 'one', kind: 'secrets' }) => ({
  kind: 'Status',
  code,
  reason,
  details,
  message: SEKRIT,
});
const content = { text: new Secret(SEKRIT), annotations: { c: 'd' } };
const calls = {
  get: () => secrets.get('one'),
  create: () => secrets.create('one', content),
  replace: () => secrets.replace('one', VERSION, content),
  remove: () => secrets.remove('one', VERSION),
};
const names = Object.keys(calls) as (keyof typeof calls)[];
const failureOf = async (call: Promise<unknown>): Promise<KubernetesApiError> => {
  const error: unknown = await call.then(
    () => undefined,
    (caught: unknown) => caught,
  );
  expect(error).toMatchObject({ name: 'KubernetesApiError' });
  return error as KubernetesApiError;
};

describe('each call', () => {
  const object = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'one', labels: { a: 'b' }, annotations: { c: 'd' } },
    type: TYPE,
    data: { record: Buffer.from(SEKRIT).toString('base64') },
  };
  it.each([
    ['get', 'GET', '/one', undefined],
    ['create', 'POST', '', object],
    ['replace', 'PUT', '/one', { ...object, metadata: { ...object.metadata, ...VERSION } }],
    ['remove', 'DELETE', '/one', { apiVersion: 'v1', kind: 'DeleteOptions', preconditions: VERSION }],
  ] as const)('%s asks once for what it is about', async (name, method, path, body) => {
    answer = send(200, secret());
    const result = await calls[name]();
    expect(seen).toHaveLength(1);
    expect(seen[0]).toMatchObject({ method, url: `/behind/api/v1/namespaces/kb/secrets${path}` });
    expect(seen[0]?.body === '' ? undefined : (JSON.parse(seen[0]?.body ?? '') as unknown)).toEqual(body);
    if (typeof result === 'boolean') expect(result).toBe(true);
    else {
      expect(result).toMatchObject({ name: 'one', ...VERSION });
      expect(result?.text?.reveal()).toBe(SEKRIT);
    }
  });

  it.each([
    ['get', 404, 'NotFound'],
    ['create', 409, 'AlreadyExists'],
    ['replace', 409, 'Conflict'],
    ['replace', 404, 'NotFound'],
    ['remove', 409, 'Conflict'],
    ['remove', 404, 'NotFound'],
  ] as const)("%s takes the API server's %d %s for a no", async (name, code, reason) => {
    answer = send(code, status(code, reason));
    expect((await calls[name]()) ?? false).toBe(false);
    answer = send(code, status(code, reason, { name: 'one', kind: 'Secret' }));
    expect((await calls[name]()) ?? false).toBe(false);
    for (const other of [
      status(code, reason, { name: 'two', kind: 'secrets' }),
      status(code, reason, { name: 'one', kind: 'resourcequotas' }),
      status(code, reason, {}),
      status(code, 'Whatever'),
      '<html>no</html>',
      '',
    ]) {
      answer = send(code, other);
      expect(await failureOf(calls[name]())).toMatchObject({ code: 'bad-reply', httpStatus: code });
    }
  });

  it.each(names)('%s takes nothing else for an answer, and shows nothing of it', async (name) => {
    for (const [code, body, failure] of [
      [401, status(401, 'Unauthorized'), 'unauthorized'],
      [403, status(403, 'Forbidden'), 'forbidden'],
      [422, status(422, 'Invalid'), 'bad-reply'],
      [500, status(500, 'InternalError'), 'server-error'],
      [503, SEKRIT, 'server-error'],
      [307, '', 'bad-reply'],
      [200, SEKRIT, 'bad-reply'],
    ] as const) {
      answer = send(code, body);
      const error = await failureOf(calls[name]());
      expect(error.code).toBe(failure);
      expect(`${error.message} ${error.fix} ${JSON.stringify(error)}`).not.toContain(SEKRIT);
      if (failure === 'forbidden') expect(error.fix).toContain('on `secrets` in namespace `kb` with a Role');
    }
  });

  it.each(['get', 'create', 'replace'] as const)('%s takes no other object for it', async (name) => {
    for (const body of [
      secret({ kind: 'ConfigMap' }),
      secret({}, { name: 'two' }),
      secret({}, { namespace: 'other' }),
      secret({}, { uid: '' }),
      secret({}, { resourceVersion: undefined }),
      { kind: 'Status' },
    ]) {
      answer = send(200, body);
      expect(await failureOf(calls[name]())).toMatchObject({ code: 'bad-reply' });
    }
  });

  it.each([
    ['of another type', { type: 'Opaque' }],
    ['without data', { data: undefined }],
    ['without that key', { data: { other: 'YQ==' } }],
    ['with bytes that are no text', { data: { record: '/w==' } }],
    ['with what is no string', { data: { record: 1 } }],
  ])('gives no text of one %s', async (_, change) => {
    answer = send(200, secret(change));
    expect(await secrets.get('one')).toMatchObject({ name: 'one', ...VERSION, text: undefined });
  });

  it('reads what else is on it, which can be written back, but for the labels of all', async () => {
    answer = send(200, secret());
    expect(await secrets.get('one')).toMatchObject({ labels: {}, annotations: {} });
    const marks = { labels: { a: 'other', backup: 'daily' }, annotations: { 'team/note': 'ours' } };
    answer = send(200, secret({}, marks));
    const found = await secrets.get('one');
    expect(found).toMatchObject(marks);
    const annotations = { 'team/note': 'other' };
    await secrets.replace('one', found ?? VERSION, { ...content, ...marks, annotations });
    expect(JSON.parse(seen.at(-1)?.body ?? '')).toMatchObject({
      metadata: { name: 'one', labels: { a: 'b', backup: 'daily' }, annotations, ...VERSION },
    });
    const { metadata } = JSON.parse(seen.at(-1)?.body ?? '') as { metadata: object };
    expect(Object.keys(metadata).toSorted()).toEqual([
      'annotations',
      'labels',
      'name',
      'resourceVersion',
      'uid',
    ]);
  });

  it.each([{ labels: { a: 1 } }, { annotations: ['a'], labels: { b: {} } }])('reads no %j', async (marks) => {
    answer = send(200, secret({}, marks));
    expect(await failureOf(secrets.get('one'))).toMatchObject({ code: 'bad-reply' });
  });

  it.each(names)('%s rejects with the reason of a caller who leaves', async (name) => {
    const signal = AbortSignal.abort(new Error('left'));
    const left = {
      get: () => secrets.get('one', { signal }),
      create: () => secrets.create('one', content, { signal }),
      replace: () => secrets.replace('one', VERSION, content, { signal }),
      remove: () => secrets.remove('one', VERSION, { signal }),
    };
    await expect(left[name]()).rejects.toThrow('left');
    expect(seen).toEqual([]);
  });
});

describe('a connection that the API server had closed', () => {
  beforeEach(async () => {
    answer = send(200, secret());
    await secrets.get('one');
    let requests = 0;
    answer = (request, response) => {
      requests += 1;
      // As a server that reads the request, and is gone before it answers.
      if (requests === 1) request.socket.resetAndDestroy();
      else send(200, secret())(request, response);
    };
    seen = [];
  });

  it.each(['create', 'replace', 'remove'] as const)('is no reason to %s twice', async (name) => {
    expect(await failureOf(calls[name]())).toMatchObject({ code: 'unreachable' });
    expect(seen).toHaveLength(1);
  });

  it('is no reason not to read', async () => {
    expect(await secrets.get('one')).toMatchObject({ name: 'one' });
    expect(seen).toHaveLength(2);
  });
});

describe('listPods', () => {
  const pod = (name: string) => ({
    metadata: { namespace: 'team-a', name, uid: name, creationTimestamp: '2026-01-01T00:00:00Z' },
  });
  const page = (name: string, next?: string) => ({
    kind: 'PodList',
    metadata: { resourceVersion: '9', ...(next === undefined ? {} : { continue: next }) },
    items: [pod(name)],
  });

  it.each([
    ['all', undefined, '/behind/api/v1/pods'],
    ['one', 'team-a', '/behind/api/v1/namespaces/team-a/pods'],
  ])('asks for %s, page by page, with no selector and no version', async (_, namespace, path) => {
    answer = (request, response) => {
      const isFirst = request.url?.includes('continue=') === false;
      send(200, isFirst ? page('a', 'next') : page('b'))(request, response);
    };
    const pods: string[] = [];
    for await (const each of api.listPods(namespace)) pods.push(...each.map(({ name }) => name));
    expect(pods).toEqual(['a', 'b']);
    expect(seen.map(({ url }) => url)).toEqual([`${path}?limit=250`, `${path}?limit=250&continue=next`]);
  });

  it('asks for those of a selector, on each page', async () => {
    answer = (request, response) => {
      const isFirst = request.url?.includes('continue=') === false;
      send(200, isFirst ? page('a', 'next') : page('b'))(request, response);
    };
    for await (const each of api.listPods(undefined, { labelSelector: 'a=b' })) expect(each).toHaveLength(1);
    expect(seen.map(({ url }) => new URL(url ?? '', 'http://x').searchParams.get('labelSelector'))).toEqual([
      'a=b',
      'a=b',
    ]);
  });

  it('breaks when a page can not be had', async () => {
    answer = (request, response) => {
      const isFirst = request.url?.includes('continue=') === false;
      send(isFirst ? 200 : 410, isFirst ? page('a', 'next') : '')(request, response);
    };
    const read = async (): Promise<void> => {
      for await (const each of api.listPods(undefined)) expect(each).toHaveLength(1);
    };
    await expect(read()).rejects.toMatchObject({ name: 'KubernetesApiError', httpStatus: 410 });
  });
});
