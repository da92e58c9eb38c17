import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Secret } from '../observability/secret.ts';
import { type KubernetesApi, type KubernetesApiOptions, loadKubernetesApi } from './kubernetes-api.ts';
import type { KubernetesApiError } from './kubernetes-api-error.ts';

interface Seen {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly authorization: string | undefined;
  readonly body: string;
}

const SEKRIT = 'sekrit-service-account-token';
const OUR_TOKEN = 'our-own-token';

let folder: string;
let server: http.Server;
let answer: (request: Seen, response: http.ServerResponse) => void;
let seen: Seen[];
let sockets: Set<Socket>;
let api: KubernetesApi;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kerbridge-kube-'));
  seen = [];
  sockets = new Set();
  server = http.createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => {
      body += chunk.toString();
    });
    request.on('end', () => {
      const one = {
        method: request.method,
        url: request.url,
        authorization: request.headers.authorization,
        body,
      };
      seen.push(one);
      answer(one, response);
    });
  });
  server.on('connection', (socket) => sockets.add(socket));
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  api = await load();
});

afterEach(async () => {
  api.close();
  server.closeAllConnections();
  await new Promise((resolve) => {
    server.close(resolve);
  });
  await rm(folder, { recursive: true, force: true });
});

const port = (): number => (server.address() as AddressInfo).port;

async function load(options: Partial<KubernetesApiOptions> = {}, user: object = { token: OUR_TOKEN }) {
  const kubeconfig = join(folder, 'kubeconfig');
  await writeFile(
    kubeconfig,
    JSON.stringify({
      clusters: [
        { name: 'c', cluster: { server: `http://127.0.0.1:${port()}`, 'insecure-skip-tls-verify': true } },
        { name: 'closed', cluster: { server: 'http://127.0.0.1:1', 'insecure-skip-tls-verify': true } },
      ],
      users: [{ name: 'u', user }],
      contexts: [
        { name: 'x', context: { cluster: 'c', user: 'u' } },
        { name: 'closed', context: { cluster: 'closed', user: 'u' } },
      ],
      'current-context': 'x',
    }),
  );
  return loadKubernetesApi({ kubeconfig, ...options });
}

const reply = (status: number, body: unknown) => (_: Seen, response: http.ServerResponse) => {
  response.writeHead(status, { 'content-type': 'application/json', 'x-secret-header': 'hidden' });
  response.end(typeof body === 'string' ? body : JSON.stringify(body));
};
const statusOf = (code: number, reason: string, details: object = {}) => ({
  kind: 'Status',
  code,
  reason,
  details,
  message: 'quoted',
});

const GOOD_REVIEW = {
  kind: 'TokenReview',
  status: {
    authenticated: true,
    audiences: ['kerbridge'],
    user: {
      username: 'system:serviceaccount:team-a:trainer',
      uid: 'u-1',
      groups: ['system:serviceaccounts'],
      extra: { 'authentication.kubernetes.io/pod-name': ['job-1'] },
    },
  },
};
const GOOD_POD = {
  kind: 'Pod',
  metadata: {
    namespace: 'team-a',
    name: 'job-1',
    uid: 'p-1',
    annotations: { a: 'b' },
    creationTimestamp: '2026-01-01T00:00:00Z',
  },
  spec: { serviceAccountName: 'trainer', containers: [] },
  status: { phase: 'Running' },
};

const review = (options = {}) => api.reviewServiceAccountToken(new Secret(SEKRIT), ['kerbridge'], options);
const getPod = (options = {}) => api.getPod('team-a', 'job-1', options);
const failureOf = async (call: Promise<unknown>): Promise<KubernetesApiError> => {
  const error: unknown = await call.then(
    () => undefined,
    (caught: unknown) => caught,
  );
  expect(error).toMatchObject({ name: 'KubernetesApiError' });
  return error as KubernetesApiError;
};

describe('reviewServiceAccountToken', () => {
  it('asks with our audience and our credentials', async () => {
    answer = reply(201, GOOD_REVIEW);
    expect(await review()).toEqual({
      authenticated: true,
      audiences: ['kerbridge'],
      username: 'system:serviceaccount:team-a:trainer',
      uid: 'u-1',
      groups: ['system:serviceaccounts'],
      extra: { 'authentication.kubernetes.io/pod-name': ['job-1'] },
    });
    expect(seen).toMatchObject([
      {
        method: 'POST',
        url: '/apis/authentication.k8s.io/v1/tokenreviews',
        authorization: `Bearer ${OUR_TOKEN}`,
      },
    ]);
    expect(JSON.parse(seen[0]?.body ?? '')).toMatchObject({
      spec: { token: SEKRIT, audiences: ['kerbridge'] },
    });
  });

  it.each([
    [
      'with a reason',
      { authenticated: false, error: 'service account token has expired' },
      'service account token has expired',
    ],
    ['without a reason', { authenticated: false }, 'no reason given'],
    ['by saying nothing', { user: {} }, 'no reason given'],
    [
      'quoting the token',
      { error: `token issuer "${SEKRIT}" is invalid` },
      'token issuer "[redacted]" is invalid',
    ],
    [
      'at length',
      { error: `serviceaccounts "${'x'.repeat(5000)}" not found` },
      `serviceaccounts "${'x'.repeat(283)}`,
    ],
  ])('is told no %s', async (_, status, error) => {
    answer = reply(201, { kind: 'TokenReview', status });
    expect(await review()).toEqual({ authenticated: false, error });
  });

  it('is no "no" when the API server could not look', async () => {
    // As kube-apiserver 1.36 says it when it is cut off from etcd.
    const error = `[invalid bearer token, Get "https://127.0.0.1:6443/${SEKRIT}": context deadline exceeded]`;
    answer = reply(201, { kind: 'TokenReview', status: { user: {}, error } });
    const failure = await failureOf(review());
    expect(failure).toMatchObject({
      code: 'bad-reply',
      message: expect.stringContaining('context deadline exceeded'),
    });
    expect(failure.message).not.toContain(SEKRIT);
    // That there is an answer is all that readiness asks for; an unknown webhook must not take us out of service.
    await expect(api.checkReady()).resolves.toBeUndefined();
  });

  it('does not garble the reason when what was sent is a letter', async () => {
    answer = reply(201, { kind: 'TokenReview', status: { error: 'invalid bearer token' } });
    expect(await api.reviewServiceAccountToken(new Secret('a'), ['kerbridge'])).toEqual({
      authenticated: false,
      error: 'invalid bearer token',
    });
  });

  it('gives empty lists for what the API server left out', async () => {
    answer = reply(201, { status: { authenticated: true, user: { username: 'alice' } } });
    expect(await review()).toEqual({
      authenticated: true,
      audiences: [],
      username: 'alice',
      uid: '',
      groups: [],
      extra: {},
    });
  });

  it.each([
    ['no status', { kind: 'TokenReview', spec: { token: SEKRIT } }],
    ['a null status', { status: null }],
    ['a yes with an error', { status: { ...GOOD_REVIEW.status, error: 'webhook timed out' } }],
    ['a yes that is no boolean', { status: { ...GOOD_REVIEW.status, authenticated: 'true' } }],
    ['a yes without a user', { status: { authenticated: true, audiences: ['kerbridge'] } }],
    ['a user name that is no string', { status: { authenticated: true, user: { username: ['a'] } } }],
    ['audiences that are no list', { status: { ...GOOD_REVIEW.status, audiences: 1 } }],
    ['audiences that are no strings', { status: { ...GOOD_REVIEW.status, audiences: [1] } }],
    ['extra that is no list', { status: { authenticated: true, user: { username: 'a', extra: { x: 1 } } } }],
    ['extra of objects', { status: { authenticated: true, user: { username: 'a', extra: { x: [{}] } } } }],
    ['null', null],
    ['a list', []],
    ['no JSON', '{"status": '],
    ['nothing', ''],
  ])('does not take %s for an answer', async (_, body) => {
    answer = reply(201, body);
    expect(await failureOf(review())).toMatchObject({ code: 'bad-reply' });
  });

  it('does not take a web page for an answer', async () => {
    answer = (_, response) =>
      response.writeHead(200, { 'content-type': 'text/html' }).end('<html>login</html>');
    expect(await failureOf(review())).toMatchObject({ code: 'bad-reply' });
  });

  it.each([[[]], [['']], [['kerbridge', '']]])('never asks without an audience: %j', async (audiences) => {
    await expect(api.reviewServiceAccountToken(new Secret(SEKRIT), audiences)).rejects.toThrow(/audience/);
    expect(seen).toEqual([]);
  });
});

describe('getPod', () => {
  it('projects the pod', async () => {
    answer = reply(200, GOOD_POD);
    expect(await getPod()).toEqual({
      namespace: 'team-a',
      name: 'job-1',
      uid: 'p-1',
      serviceAccount: 'trainer',
      phase: 'Running',
      createdAt: Date.parse('2026-01-01T00:00:00Z'),
      deletionTimestamp: undefined,
      podIps: [],
      annotations: { a: 'b' },
    });
    expect(seen).toMatchObject([{ method: 'GET', url: '/api/v1/namespaces/team-a/pods/job-1' }]);
  });

  it.each([
    ['without a service account', { spec: { containers: [] } }, { serviceAccount: 'default' }],
    [
      'with an empty service account',
      { spec: { serviceAccountName: '', containers: [] } },
      { serviceAccount: 'default' },
    ],
    ['without a status', { status: undefined }, { phase: 'Pending' }],
    [
      'without annotations',
      { metadata: { ...GOOD_POD.metadata, annotations: undefined } },
      { annotations: {} },
    ],
    [
      'that is terminating',
      { metadata: { ...GOOD_POD.metadata, deletionTimestamp: '2026-01-01T00:00:30Z' } },
      { deletionTimestamp: Date.UTC(2026, 0, 1, 0, 0, 30) },
    ],
    [
      'with two addresses',
      { status: { podIP: '10.0.0.7', podIPs: [{ ip: '10.0.0.7' }, { ip: '2001:DB8:0::7' }] } },
      { podIps: ['10.0.0.7', '2001:db8::7'] },
    ],
    [
      'of an API server before dual stack',
      { status: { podIP: '::ffff:10.0.0.7' } },
      { podIps: ['10.0.0.7'] },
    ],
    ['with no address yet', { status: { podIPs: [] } }, { podIps: [] }],
    [
      'with addresses that are none beside one',
      { status: { podIPs: [{ ip: '010.0.0.8' }, {}, { ip: 7 }, { ip: '10.0.0.7' }] } },
      { podIps: ['10.0.0.7'] },
    ],
  ])('reads a pod %s', async (_, change, expected) => {
    answer = reply(200, { ...GOOD_POD, ...change });
    expect(await getPod()).toMatchObject(expected);
  });

  it("is undefined on the API server's own 404", async () => {
    answer = reply(404, statusOf(404, 'NotFound', { name: 'job-1', kind: 'pods' }));
    expect(await getPod()).toBeUndefined();
  });

  it.each([
    ['of another path', statusOf(404, 'NotFound', {})],
    ['of another pod', statusOf(404, 'NotFound', { name: 'job-2', kind: 'pods' })],
    ['of another kind', statusOf(404, 'NotFound', { name: 'job-1', kind: 'namespaces' })],
    ['of a proxy', '<html>404</html>'],
    ['without a body', ''],
  ])('does not take a 404 %s for "no such pod"', async (_, body) => {
    answer = reply(404, body);
    expect(await failureOf(getPod())).toMatchObject({ code: 'bad-reply', httpStatus: 404 });
  });

  it.each([
    ['another name', { metadata: { ...GOOD_POD.metadata, name: 'job-2' } }],
    ['another namespace', { metadata: { ...GOOD_POD.metadata, namespace: 'team-b' } }],
    ['no UID', { metadata: { ...GOOD_POD.metadata, uid: '' } }],
    ['no metadata', { metadata: undefined }],
    ['a deletionTimestamp that is none', { metadata: { ...GOOD_POD.metadata, deletionTimestamp: 'soon' } }],
    ['a phase that is no string', { status: { phase: 1 } }],
    ['a service account that is no string', { spec: { serviceAccountName: {} } }],
    ['annotations that are no strings', { metadata: { ...GOOD_POD.metadata, annotations: { a: { b: 1 } } } }],
  ])('does not take a pod with %s', async (_, change) => {
    answer = reply(200, { ...GOOD_POD, ...change });
    expect(await failureOf(getPod())).toMatchObject({ code: 'bad-reply' });
  });
});

describe('failures', () => {
  it.each([
    [401, 'unauthorized'],
    [403, 'forbidden'],
    [429, 'too-many-requests'],
    [500, 'server-error'],
    [503, 'server-error'],
    [400, 'bad-reply'],
    [422, 'bad-reply'],
    [204, 'bad-reply'],
  ])('%d is %s, for every call', async (status, code) => {
    answer = reply(status, status === 204 ? '' : statusOf(status, 'Whatever'));
    expect(await failureOf(review())).toMatchObject({ code });
    expect(await failureOf(getPod())).toMatchObject({ code });
    expect(await failureOf(api.checkReady())).toMatchObject({ code });
  });

  it('names the missing rule', async () => {
    answer = reply(403, statusOf(403, 'Forbidden'));
    expect((await failureOf(review())).fix).toContain('`create` on `tokenreviews`');
    expect((await failureOf(getPod())).fix).toContain('`get` on `pods`');
  });

  it('does not follow a redirect with a token in hand', async () => {
    answer = (_, response) =>
      response.writeHead(307, { location: `http://127.0.0.1:${port()}/elsewhere` }).end();
    expect(await failureOf(review())).toMatchObject({ code: 'bad-reply', httpStatus: 307 });
    expect(seen).toHaveLength(1);
  });

  it('says when nothing listens', async () => {
    api = await load({ context: 'closed' });
    expect(await failureOf(review())).toMatchObject({
      code: 'unreachable',
      message: expect.stringContaining('ECONNREFUSED'),
    });
  });

  it('says when the connection breaks in the middle of a reply', async () => {
    answer = (_, response) => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' });
      response.write('{"status":', () => response.destroy());
    };
    expect(await failureOf(review())).toMatchObject({ code: 'unreachable' });
  });

  it('does not read a reply without end', async () => {
    answer = (_, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      const chunk = 'x'.repeat(1024 * 1024);
      const more = (): void => {
        if (!response.destroyed) response.write(chunk, more);
      };
      more();
    };
    expect(await failureOf(getPod())).toMatchObject({ code: 'bad-reply' });
  });

  it('gives up after its time-out and ends the request', async () => {
    api = await load({ timeoutMs: 50 });
    const closed = new Promise((resolve) => {
      answer = (_, response) => response.on('close', resolve);
    });
    expect(await failureOf(review())).toMatchObject({ code: 'timeout' });
    await closed;
  });

  it('gives up when the reply begins but never ends', async () => {
    api = await load({ timeoutMs: 50 });
    answer = (_, response) => response.writeHead(200, { 'content-type': 'application/json' }).write('{');
    expect(await failureOf(getPod())).toMatchObject({ code: 'timeout' });
  });

  it("ends the request when the caller leaves, with the caller's reason", async () => {
    const caller = new AbortController();
    const reason = new Error('client went away');
    const closed = new Promise((resolve) => {
      answer = (_, response) => {
        response.on('close', resolve);
        caller.abort(reason);
      };
    });
    await expect(getPod({ signal: caller.signal })).rejects.toBe(reason);
    await closed;
  });

  it('starts nothing for a caller that comes aborted', async () => {
    await expect(getPod({ signal: AbortSignal.abort(new Error('gone')) })).rejects.toThrow('gone');
    expect(seen).toEqual([]);
  });

  it.each([401, 404, 500, 200])('shows nothing of a %d reply, nor of the request', async (status) => {
    answer = reply(status, `{"message": "quotes ${SEKRIT} and ${OUR_TOKEN}"`);
    for (const call of [review(), getPod()]) {
      const error = await failureOf(call);
      const shown = inspect(error, { depth: 10, showHidden: true }) + JSON.stringify(error);
      for (const hidden of [SEKRIT, OUR_TOKEN, 'x-secret-header', 'quotes'])
        expect(shown).not.toContain(hidden);
      expect(error.cause).toBeUndefined();
    }
  });
});

describe('connections and credentials', () => {
  it('keeps its connection', async () => {
    answer = (request, response) =>
      reply(200, request.method === 'GET' ? GOOD_POD : GOOD_REVIEW)(request, response);
    for (let n = 0; n < 5; n += 1) {
      await review();
      await getPod();
    }
    expect(seen).toHaveLength(10);
    expect(sockets.size).toBe(1);
  });

  it('lets a burst wait for its connections', async () => {
    answer = reply(200, GOOD_POD);
    const pods = await Promise.all(Array.from({ length: 100 }, () => getPod()));
    expect(pods).toHaveLength(100);
    expect(sockets.size).toBeLessThanOrEqual(32);
  });

  it('sends again when the API server had closed the kept connection', async () => {
    answer = reply(200, GOOD_POD);
    await getPod();
    // The next request on this connection is answered by a reset: what a close that crosses a request looks like.
    answer = (request, response) => {
      answer = reply(200, GOOD_POD);
      if (seen.length === 2) response.socket?.resetAndDestroy();
      else reply(200, GOOD_POD)(request, response);
    };
    expect(await getPod()).toMatchObject({ uid: 'p-1' });
    expect(seen).toHaveLength(3);
  });

  it('does not send again on a fresh connection', async () => {
    answer = (_, response) => response.socket?.resetAndDestroy();
    expect(await failureOf(getPod())).toMatchObject({ code: 'unreachable' });
    expect(seen).toHaveLength(1);
  });

  it('is ready when its own review is answered, even by no', async () => {
    answer = reply(201, { status: { authenticated: false, error: 'invalid bearer token' } });
    await expect(api.checkReady()).resolves.toBeUndefined();
  });

  it('says when our own token cannot be read', async () => {
    api = await load({}, { tokenFile: join(folder, 'missing') });
    expect(await failureOf(getPod())).toMatchObject({
      code: 'credentials',
      message: expect.stringContaining('ENOENT'),
    });
    expect(seen).toEqual([]);
  });
});
