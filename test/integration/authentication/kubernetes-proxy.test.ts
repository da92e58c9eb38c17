import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { errorCode } from '../../../src/observability/error-code.ts';
import { readStack } from '../../stack/stack.ts';
import { kubeconfigThrough, KubernetesProxy, KubernetesWire, TOKEN_REVIEW } from '../kubernetes-proxy.ts';
import { loadConfig, TestNamespace, whoAmI } from '../kubernetes-objects.ts';

let admin: string;
let apiServer: string;
let ca: string;
let bearerToken: string;
let folder: string;
let namespace: TestNamespace;

beforeAll(async () => {
  const { kubernetes } = await readStack();
  admin = kubernetes.kubeconfig.admin;
  apiServer = kubernetes.server;
  ca = await readFile(kubernetes.caFile, 'utf8');
  bearerToken = loadConfig(admin).getCurrentUser()?.token ?? '';
  folder = await mkdtemp(join(tmpdir(), 'kerbridge-proxy-'));
  namespace = await TestNamespace.create(admin);
});

afterAll(async () => {
  await namespace.dispose();
  await rm(folder, { recursive: true, force: true });
});

interface Target {
  readonly server: string;
  readonly ca?: string;
}

interface Reply {
  readonly status: number | undefined;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

async function open(to: Target, path: string, options: { agent?: Agent; body?: unknown } = {}) {
  const call = request(`${to.server}${path}`, {
    ca: to.ca ?? ca,
    agent: options.agent ?? false,
    method: options.body === undefined ? 'GET' : 'POST',
    headers: { authorization: `Bearer ${bearerToken}`, 'content-type': 'application/json' },
  });
  call.end(options.body === undefined ? undefined : JSON.stringify(options.body));
  const [reply] = (await once(call, 'response')) as [IncomingMessage];
  // A connection that breaks later is an error of the reply too.
  call.on('error', () => undefined);
  return reply;
}

async function ask(...call: Parameters<typeof open>): Promise<Reply> {
  const reply = await open(...call);
  const body = Buffer.concat(await reply.toArray()).toString();
  return { status: reply.statusCode, headers: reply.headers, body };
}

const READY = '/readyz';
const REVIEWS = '/apis/authentication.k8s.io/v1/tokenreviews';
const REVIEW = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec: { token: 'no-token' } };
const failure = (call: Promise<unknown>): Promise<string> => call.then(() => 'none', errorCode);

describe('KubernetesWire', () => {
  let wire: KubernetesWire;
  let agent: Agent;

  beforeEach(async () => {
    wire = await KubernetesWire.before(apiServer);
    agent = new Agent({ keepAlive: true, maxSockets: 1 });
  });

  afterEach(async () => {
    agent.destroy();
    await wire[Symbol.asyncDispose]();
  });

  it('refuses connections and resets those there are while it is cut', async () => {
    const watch = await open(wire, `/api/v1/namespaces/${namespace.name}/pods?watch=1`);
    expect(wire.connections).toBe(1);
    wire.cut();
    expect(await failure(watch.toArray())).toBe('ECONNRESET');
    expect(wire.connections).toBe(0);
    expect(await failure(ask(wire, READY))).toBe('ECONNREFUSED');
    await wire.restore();
    expect(await ask(wire, READY)).toMatchObject({ status: 200, body: 'ok' });
  });

  it('lets nothing through while it is paused, on old and new connections, and all of it afterwards', async () => {
    expect(await ask(wire, READY, { agent })).toMatchObject({ status: 200 });
    wire.pause();
    const late: string[] = [];
    const replies = [
      ask(wire, READY, { agent }).then(() => late.push('old')),
      ask(wire, READY).then(() => late.push('new')),
    ];
    // Twenty answers without the wire, and none with it.
    for (let count = 0; count < 20; count += 1) await ask({ server: apiServer }, READY);
    expect(late).toEqual([]);
    expect(wire.connections).toBe(2);
    wire.resume();
    await Promise.all(replies);
    expect(late.toSorted()).toEqual(['new', 'old']);
    expect(wire.accepted).toBe(2);
  });

  it('carries the TLS of the API server itself', async () => {
    const kubeconfig = join(folder, 'wire');
    await writeFile(kubeconfig, await kubeconfigThrough(wire, admin), { mode: 0o600 });
    expect(await whoAmI(kubeconfig)).toBe('admin');
    expect(wire.accepted).toBe(1);
  });
});

describe('KubernetesProxy', () => {
  let proxy: KubernetesProxy;

  beforeEach(async () => {
    proxy = await KubernetesProxy.before(apiServer, ca);
  });

  afterEach(async () => {
    await proxy[Symbol.asyncDispose]();
  });

  it('answers in the place of the API server', async () => {
    const stop = proxy.answer(TOKEN_REVIEW, 429, { kind: 'Status' }, { 'retry-after': '7' });
    expect(await ask(proxy, REVIEWS, { body: REVIEW })).toMatchObject({
      status: 429,
      headers: { 'retry-after': '7' },
      body: '{"kind":"Status"}',
    });
    expect(await ask(proxy, READY)).toMatchObject({ status: 200 });
    stop();
    expect(await ask(proxy, REVIEWS, { body: REVIEW })).toMatchObject({ status: 201 });
  });

  it('drops a request', async () => {
    const stop = proxy.drop(/tokenreviews/);
    expect(await failure(ask(proxy, REVIEWS, { body: REVIEW }))).toBe('ECONNRESET');
    stop();
    expect(await ask(proxy, REVIEWS, { body: REVIEW })).toMatchObject({ status: 201 });
  });

  it('holds a request', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const stop = proxy.hold(TOKEN_REVIEW, promise);
    let answered = false;
    const held = ask(proxy, REVIEWS, { body: REVIEW }).then((reply) => {
      answered = true;
      return reply;
    });
    await proxy.arrival(TOKEN_REVIEW);
    for (let count = 0; count < 20; count += 1) await ask(proxy, READY);
    expect(answered).toBe(false);
    resolve();
    expect(await held).toMatchObject({ status: 201 });
    stop();
  });

  it('counts requests, and passes on what was asked and answered', async () => {
    const path = `/api/v1/namespaces/${namespace.name}/pods`;
    expect(await ask(proxy, `${path}?limit=1`)).toMatchObject({ status: 200 });
    expect(await ask(proxy, `${path}/none`)).toMatchObject({ status: 404 });
    const review = await ask(proxy, REVIEWS, { body: REVIEW });
    expect(JSON.parse(review.body)).toMatchObject({ status: { error: expect.stringContaining('invalid') } });
    expect(proxy.requests).toEqual([`GET ${path}?limit=1`, `GET ${path}/none`, TOKEN_REVIEW]);
    expect(proxy.count(TOKEN_REVIEW)).toBe(1);
    expect(proxy.count(/^GET \/api\/v1\/namespaces\//)).toBe(2);
    await proxy.arrival(TOKEN_REVIEW, 1);
  });

  it('is what a kubeconfig can name', async () => {
    const kubeconfig = join(folder, 'proxy');
    await writeFile(kubeconfig, await kubeconfigThrough(proxy, admin), { mode: 0o600 });
    expect(await whoAmI(kubeconfig)).toBe('admin');
    expect(proxy.requests).toEqual(['POST /apis/authentication.k8s.io/v1/selfsubjectreviews']);
  });

  it('passes on a WATCH as it comes', async () => {
    const watch = await open(proxy, `/api/v1/namespaces/${namespace.name}/pods?watch=1`);
    const lines = watch[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
    for (const name of ['first', 'second']) {
      await namespace.createPod({ name });
      let seen = '';
      while (!seen.includes(`"name":"${name}"`)) seen += String((await lines.next()).value);
    }
    watch.destroy();
  });
});
