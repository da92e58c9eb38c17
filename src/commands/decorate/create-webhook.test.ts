import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { afterEach, describe, expect, it } from '@jest/globals';
import { podRequest, reviewBytes, reviewText } from '../../../test/fakes/admission-reviews.ts';
import { settle } from '../../../test/fakes/fake-clock.ts';
import { observedRefusals } from '../../../test/fakes/observed-refusals.ts';
import { responseOf, send, type SentReview } from '../../../test/fakes/webhook-client.ts';
import type { AdmissionDecision, Decide } from '../../admission/review/admission-decision.ts';
import { measureJson } from '../../admission/review/json-limits.ts';
import { REVIEW_LIMITS } from '../../admission/review/read-admission-review.ts';
import type { AuditEntry } from '../../observability/audit-record.ts';
import { AuditUnavailableError } from '../../observability/audit-stream.ts';
import { HttpServer } from '../serve/http-server.ts';
import { parseTlsPair } from '../serve/tls-certificate.ts';
import { createWebhook, type WebhookOptions } from './create-webhook.ts';
import { WEBHOOK_SERVER_LIMITS } from './webhook-limits.ts';

const fixture = (name: string) =>
  readFileSync(new URL(`../../../test/fixtures/tls/${name}`, import.meta.url), 'utf8');
const CERTIFICATE = fixture('localhost.crt');
const UID = String(podRequest()['uid']);

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
});

interface StartOptions extends Partial<WebhookOptions> {
  readonly mutate?: Decide;
  readonly validate?: Decide;
  readonly clientCa?: string;
}

const allow: Decide = () => Promise.resolve({ outcome: 'allowed' });
const says =
  (decision: AdmissionDecision): Decide =>
  () =>
    Promise.resolve(decision);

const PATCH = [{ op: 'add', path: '/metadata/labels', value: { a: 'b' } }] as const;

async function start({ mutate = allow, validate = allow, clientCa, ...options }: StartOptions = {}) {
  const seen = observedRefusals();
  const audited: AuditEntry[] = [];
  const server = new HttpServer({
    listener: createWebhook({
      decide: { mutate, validate },
      writeAudit: async (entry) => {
        await Promise.resolve();
        audited.push(entry);
      },
      ...seen,
      ...options,
    }),
    refusals: seen.refusals,
    limits: WEBHOOK_SERVER_LIMITS,
    tls: {
      pair: parseTlsPair(CERTIFICATE, fixture('localhost.key')),
      ...(clientCa === undefined ? {} : { clientCa }),
    },
  });
  const { port } = await server.listen({ address: '127.0.0.1', port: 0 });
  ends.push(() => server.stop(0, seen.clock));
  const counted = async (): Promise<Record<string, number>> => {
    const { values } = await seen.metrics.admissionReviews.get();
    return Object.fromEntries(
      values.map(({ labels, value }) => [
        `${String(labels.route).slice(1)} ${String(labels.outcome)}`,
        value,
      ]),
    );
  };
  const inFlight = async (): Promise<number | undefined> => {
    const metric = seen.metrics.registry.getSingleMetric('kerbridge_admission_reviews_in_flight');
    return (await metric?.get())?.values[0]?.value;
  };
  return {
    ...seen,
    server,
    port,
    audited,
    counted,
    inFlight,
    send: (sent: Partial<SentReview> = {}) => send({ port, ca: CERTIFICATE, body: reviewBytes(), ...sent }),
  };
}

async function until(check: () => boolean | Promise<boolean>): Promise<void> {
  for (let turn = 0; turn < 20_000; turn += 1) {
    if (await check()) return;
    await settle();
  }
  throw new Error('that never came');
}

describe('the webhook refuses unread', () => {
  const never: Decide = () => {
    throw new Error('nobody may ask');
  };

  it.each<[string, Partial<SentReview>, number, string]>([
    ['another path', { path: '/' }, 404, 'Only /mutate and /validate'],
    ['a path below', { path: '/mutate/x' }, 404, 'Only /mutate'],
    ['a path of Object', { path: '/constructor' }, 404, 'Only /mutate'],
    ['a whole URL', { path: 'https://x/mutate' }, 404, 'Only /mutate'],
    ['GET', { method: 'GET', body: '', headers: { 'Content-Length': '0' } }, 405, 'Only POST'],
    ['PUT', { method: 'PUT' }, 405, 'Only POST'],
    ['another type', { headers: { 'Content-Type': 'text/plain' } }, 415, 'application/json'],
    [
      'a type that begins alike',
      { headers: { 'Content-Type': 'application/jsonx' } },
      415,
      'application/json',
    ],
    ['nothing', { body: '' }, 400, 'no JSON'],
    ['no JSON', { body: '{' }, 400, 'no JSON'],
    ['what is no review', { body: '{}' }, 400, 'no AdmissionReview'],
    ['a review without a user', { body: reviewBytes({ userInfo: null }) }, 400, 'request.userInfo'],
  ])('%s', async (_name, sent, status, text) => {
    const { audited, ...webhook } = await start({ mutate: never, validate: never });
    const reply = await webhook.send(sent);
    expect(reply).toMatchObject({ status, contentType: 'text/plain; charset=utf-8' });
    expect(reply.text).toContain(text);
    expect(audited).toEqual([]);
    expect(responseOf(await (await start()).send())).toEqual({ uid: UID, allowed: true });
  });

  it('a body of unknown length [review-length-known]', async () => {
    const { port } = await start({ mutate: never });
    const reply = await new Promise<number>((resolve, reject) => {
      const outgoing = request(
        {
          port,
          host: '127.0.0.1',
          servername: 'localhost',
          ca: CERTIFICATE,
          method: 'POST',
          path: '/mutate',
          agent: false,
          headers: { 'Content-Type': 'application/json', 'Transfer-Encoding': 'chunked' },
        },
        (incoming) => {
          incoming.resume();
          resolve(incoming.statusCode ?? 0);
        },
      );
      outgoing.on('error', reject);
      outgoing.end(reviewBytes());
    });
    expect(reply).toBe(411);
  });

  it('a body that is too long, and the sender hears it [review-length]', async () => {
    const { counted, ...webhook } = await start({ mutate: never });
    const reply = await webhook.send({ body: Buffer.alloc(8 * 1024 * 1024 + 1, ' ') });
    expect(reply).toMatchObject({ status: 413 });
    expect(reply.text).toContain('make the object smaller');
    expect(await counted()).toEqual({ 'mutate oversize': 1 });
  });

  it('an object that is too deep, in a review, for a person made it', async () => {
    const { counted, ...webhook } = await start({ mutate: never });
    const deep = reviewText(podRequest({ object: 'HERE' })).replace(
      '"HERE"',
      () => `${'{"a":'.repeat(300)}1${'}'.repeat(300)}`,
    );
    expect(responseOf(await webhook.send({ body: deep }))).toMatchObject({
      uid: UID,
      allowed: false,
      status: { code: 413, reason: 'RequestEntityTooLarge' },
    });
    expect(await counted()).toEqual({ 'mutate oversize': 1 });
  });

  it('more reviews at once than it may hold, and takes more when there is room [review-quota]', async () => {
    const { promise, resolve } = Promise.withResolvers<AdmissionDecision>();
    let asked = 0;
    const webhook = await start({
      limits: { reviews: 2, bytes: 1_000_000, values: 100_000 },
      mutate: () => {
        asked += 1;
        return asked > 2 ? Promise.resolve({ outcome: 'allowed' }) : promise;
      },
    });
    // Also where this fails: the server waits for its answers.
    ends.push(() => resolve({ outcome: 'allowed' }));
    const held = [webhook.send(), webhook.send()];
    await until(() => asked === 2);
    expect(await webhook.inFlight()).toBe(2);
    expect(await webhook.send()).toMatchObject({
      status: 503,
      text: expect.stringContaining('try again'),
    });
    resolve({ outcome: 'allowed' });
    for (const reply of await Promise.all(held)) expect(responseOf(reply)['allowed']).toBe(true);
    expect(responseOf(await webhook.send())['allowed']).toBe(true);
    await until(async () => (await webhook.inFlight()) === 0);
    expect(await webhook.counted()).toEqual({ 'mutate allowed': 3, 'mutate overloaded': 1 });
  });

  it('more bytes at once than it may hold [review-quota]', async () => {
    const webhook = await start({ limits: { reviews: 99, bytes: reviewBytes().length, values: 100_000 } });
    expect(await webhook.send({ body: reviewBytes({ name: 'a-longer-name' }) })).toMatchObject({
      status: 503,
    });
    expect(responseOf(await webhook.send())['allowed']).toBe(true);
  });

  it('more values at once than there is room for, however short they are [review-values-quota]', async () => {
    const { promise, resolve } = Promise.withResolvers<AdmissionDecision>();
    let asked = 0;
    const { values } = measureJson(reviewBytes(), REVIEW_LIMITS);
    const webhook = await start({
      limits: { reviews: 99, bytes: 1_000_000, values: 2 * values - 1 },
      mutate: () => {
        asked += 1;
        return asked > 1 ? Promise.resolve({ outcome: 'allowed' }) : promise;
      },
    });
    ends.push(() => resolve({ outcome: 'allowed' }));
    const held = webhook.send();
    await until(() => asked === 1);
    expect(await webhook.send()).toMatchObject({ status: 503, text: expect.stringContaining('try again') });
    resolve({ outcome: 'allowed' });
    expect(responseOf(await held)['allowed']).toBe(true);
    await until(async () => (await webhook.inFlight()) === 0);
    expect(responseOf(await webhook.send())['allowed']).toBe(true);
    expect(asked).toBe(2);
    expect(await webhook.counted()).toEqual({ 'mutate allowed': 2, 'mutate overloaded': 1 });
  });
});

describe('the webhook says no', () => {
  it.each<[string, AdmissionDecision, Record<string, unknown>, Partial<AuditEntry>]>([
    [
      'refused',
      { outcome: 'refused', reason: 'stamp-altered', text: 'ask alice', user: 'alice' },
      { code: 403, reason: 'Forbidden', message: 'ask alice' },
      { decision: 'refused', status: 403, code: 'refused', reason: 'stamp-altered', user: 'alice' },
    ],
    [
      'could-not-check',
      { outcome: 'could-not-check', dependency: 'kubernetes', text: 'try again' },
      { code: 503, reason: 'ServiceUnavailable', message: 'try again' },
      { decision: 'could-not-check', status: 503, code: 'could-not-check', dependency: 'kubernetes' },
    ],
  ])('where the decision is %s, and writes it down', async (outcome, decision, status, entry) => {
    for (const path of ['mutate', 'validate'] as const) {
      const { audited, counted, ...webhook } = await start({ [path]: says(decision) });
      const reply = await webhook.send({ path: `/${path}?timeout=10s` });
      expect(responseOf(reply)).toEqual({
        uid: UID,
        allowed: false,
        status: { status: 'Failure', ...status },
      });
      expect(audited).toEqual([
        {
          ...entry,
          requestId: UID,
          route: `/${path}`,
          method: 'POST',
          review: {
            operation: 'CREATE',
            resource: 'pods',
            namespace: 'lab',
            name: 'train-0',
            requester: 'alice',
          },
        },
      ]);
      expect(await counted()).toEqual({ [`${path} ${outcome}`]: 1 });
    }
  });

  it.each<[string, Decide]>([
    [
      'throws',
      () => {
        throw new Error('secret of an object');
      },
    ],
    ['rejects', () => Promise.reject(new Error('secret of an object'))],
    ['rejects with no error', () => Promise.reject('secret of an object')],
    ['returns nothing', () => Promise.resolve(undefined as unknown as AdmissionDecision)],
    ['returns something else', () => Promise.resolve({ outcome: 'yes' } as unknown as AdmissionDecision)],
    [
      'has an audit annotation that the API server would drop',
      says({ outcome: 'allowed', auditAnnotations: { 'a/b': 'c' } }),
    ],
  ])('vaguely, where the decision %s', async (_name, mutate) => {
    const { log, counted, ...webhook } = await start({ mutate });
    const reply = await webhook.send();
    expect(responseOf(reply)).toMatchObject({
      uid: UID,
      allowed: false,
      status: { code: 500, reason: 'InternalError' },
    });
    expect(reply.text).not.toContain('secret');
    expect(log()).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ level: 'error', message: 'Review failed', requestId: UID }),
      ]),
    );
    expect(await counted()).toEqual({ 'mutate failed': 1 });
  });

  it('where a validating decision would change something [validating-patch]', async () => {
    const webhook = await start({ validate: says({ outcome: 'allowed', patch: PATCH }) });
    const reply = await webhook.send({ path: '/validate' });
    expect(responseOf(reply)).toMatchObject({ allowed: false, status: { code: 500 } });
  });

  it('in time, where the decision takes longer, which is told so', async () => {
    const signals: AbortSignal[] = [];
    const webhook = await start({
      mutate: (_review, signal) => {
        signals.push(signal);
        return new Promise(() => undefined);
      },
    });
    const reply = webhook.send({ path: '/mutate?timeout=5s' });
    await until(() => signals.length === 1);
    await webhook.clock.advance(3_749);
    expect(signals[0]?.aborted).toBe(false);
    await webhook.clock.advance(1);
    expect(responseOf(await reply)).toMatchObject({
      uid: UID,
      allowed: false,
      status: { code: 503, message: expect.stringMatching(/in time: try again/) },
    });
    expect(signals[0]?.aborted).toBe(true);
    expect(webhook.audited).toMatchObject([{ decision: 'could-not-check', dependency: 'time' }]);
    expect(webhook.clock.sleeping).toBe(0);
  });

  it('in time, where the body does not come', async () => {
    const webhook = await start();
    const outgoing = request({
      port: webhook.port,
      host: '127.0.0.1',
      servername: 'localhost',
      ca: CERTIFICATE,
      method: 'POST',
      path: '/mutate?timeout=10s',
      agent: false,
      headers: { 'Content-Type': 'application/json', 'Content-Length': 100 },
    });
    const status = new Promise<number>((resolve, reject) => {
      outgoing.on('error', reject);
      outgoing.on('response', (incoming) => resolve(incoming.statusCode ?? 0));
    });
    ends.push(() => outgoing.destroy());
    outgoing.write('{');
    await until(async () => (await webhook.inFlight()) === 1);
    await webhook.clock.advance(10_000);
    expect(await status).toBe(503);
  });

  it('to a change that it can’t write down, but not otherwise to what needs no line', async () => {
    const writeAudit = () => Promise.reject(new AuditUnavailableError('failed', 'ENOSPC'));
    const webhook = await start({
      writeAudit,
      mutate: says({ outcome: 'allowed', patch: PATCH }),
      validate: says({ outcome: 'refused', reason: 'r', text: 'ask alice' }),
    });
    expect(responseOf(await webhook.send())).toMatchObject({
      allowed: false,
      status: { code: 503, message: expect.stringContaining('audit') },
    });
    expect(responseOf(await webhook.send({ path: '/validate' }))).toMatchObject({
      allowed: false,
      status: { code: 403, message: 'ask alice' },
    });
    expect(responseOf(await (await start({ writeAudit })).send())).toEqual({ uid: UID, allowed: true });
  });

  it('to a change whose line is not written in time', async () => {
    const webhook = await start({
      writeAudit: () => new Promise(() => undefined),
      mutate: says({ outcome: 'allowed', patch: PATCH }),
    });
    const reply = webhook.send();
    await until(() => webhook.clock.sleeping === 1);
    await settle();
    await webhook.clock.advance(10_000);
    expect(responseOf(await reply)).toMatchObject({ allowed: false, status: { code: 503 } });
  });
});

describe('the webhook lets in', () => {
  const ca = fixture('rsa-2048.crt');
  const client = { cert: ca, key: fixture('rsa-2048.key') };

  it('nobody without a certificate, where it has authorities for them', async () => {
    const webhook = await start({ clientCa: ca });
    await expect(webhook.send()).rejects.toThrow();
    await until(async () => (await webhook.counts())['tls-handshake'] === 1);
  });

  it('nobody with a certificate of somebody else', async () => {
    const webhook = await start({ clientCa: ca });
    const own = { cert: CERTIFICATE, key: fixture('localhost.key') };
    await expect(webhook.send(own)).rejects.toThrow();
  });

  it('nobody of another name [webhook-client]', async () => {
    const webhook = await start({ clientCa: ca, clientNames: ['rsa-204', 'rsa-20480', 'RSA-2048', ''] });
    expect(await webhook.send(client)).toMatchObject({ status: 403 });
    expect(await webhook.counted()).toEqual({ 'mutate unauthenticated': 1 });
  });

  it('nobody, where it has names but asks for no certificates [webhook-client]', async () => {
    const webhook = await start({ clientNames: ['rsa-2048'] });
    expect(await webhook.send(client)).toMatchObject({ status: 403 });
  });

  it.each([undefined, ['x', 'rsa-2048']])(
    'who has the certificate, by its names: %j, also after its own certificate was changed',
    async (clientNames) => {
      const webhook = await start({ clientCa: ca, clientNames });
      expect(responseOf(await webhook.send(client))['allowed']).toBe(true);
      webhook.server.useCertificate(parseTlsPair(fixture('renewed.crt'), fixture('renewed.key')));
      const trusting = { ca: fixture('renewed.crt') };
      expect(responseOf(await webhook.send({ ...client, ...trusting }))['allowed']).toBe(true);
      await expect(webhook.send(trusting)).rejects.toThrow();
    },
  );
});

describe('the webhook says yes', () => {
  it('with the patch, and writes it down', async () => {
    const webhook = await start({
      mutate: says({ outcome: 'allowed', patch: PATCH, user: 'alice', warnings: ['careful'] }),
    });
    const body = reviewBytes({
      resource: { group: 'apps', version: 'v1', resource: 'deployments' },
      dryRun: true,
    });
    const { patch, ...rest } = responseOf(await webhook.send({ body }));
    expect(rest).toEqual({ uid: UID, allowed: true, patchType: 'JSONPatch', warnings: ['careful'] });
    expect(JSON.parse(Buffer.from(String(patch), 'base64').toString())).toEqual(PATCH);
    expect(webhook.audited).toEqual([
      {
        decision: 'allowed',
        status: 200,
        code: 'changed',
        requestId: UID,
        route: '/mutate',
        method: 'POST',
        user: 'alice',
        review: {
          operation: 'CREATE',
          resource: 'deployments.apps',
          namespace: 'lab',
          name: 'train-0',
          requester: 'alice',
          dryRun: true,
        },
      },
    ]);
    expect(await webhook.counted()).toEqual({ 'mutate changed': 1 });
  });

  it('to 1,000 interleaved reviews, each about its own', async () => {
    const waiting: (() => void)[] = [];
    const webhook = await start({
      mutate: async ({ uid, userInfo, name, object }) => {
        await new Promise<void>((resolve) => waiting.push(resolve));
        if (Number(/\d+$/.exec(uid)?.[0]) % 7 === 0) {
          return { outcome: 'refused', reason: 'r', text: `${uid} ${userInfo.username} ${name}` };
        }
        const value = [uid, userInfo.username, name ?? '', object ?? {}];
        return { outcome: 'allowed', user: userInfo.username, patch: [{ op: 'add', path: '/x', value }] };
      },
    });
    const agent = new Agent({ keepAlive: true, maxSockets: 100 });
    ends.push(() => agent.destroy());
    const replies = Array.from({ length: 1_000 }, async (_each, index) => {
      const object = { metadata: { uid: `o-${index}` }, spec: { padding: 'x'.repeat(index % 997) } };
      const body = reviewBytes({
        uid: `u-${index}`,
        name: `n-${index}`,
        userInfo: { username: `person-${index}` },
        object,
      });
      return { index, object, response: responseOf(await webhook.send({ agent, body })) };
    });
    const all = Promise.all(replies);
    const answers = { areThere: false };
    void all.finally(() => (answers.areThere = true));
    // Always the one in the middle first, so that answers come in another order than requests.
    while (!answers.areThere) {
      if (waiting.length > 3) waiting.splice(waiting.length >> 1, 2).forEach((go) => go());
      else waiting.pop()?.();
      await new Promise((resolve) => setImmediate(resolve));
    }
    for (const { index, object, response } of await all) {
      expect(response['uid']).toBe(`u-${index}`);
      if (index % 7 === 0) {
        expect(response).toMatchObject({
          allowed: false,
          status: { message: `u-${index} person-${index} n-${index}` },
        });
      } else {
        expect(JSON.parse(Buffer.from(String(response['patch']), 'base64').toString())).toEqual([
          { op: 'add', path: '/x', value: [`u-${index}`, `person-${index}`, `n-${index}`, object] },
        ]);
      }
    }
    expect(webhook.audited).toHaveLength(1_000);
    for (const { requestId, review, user } of webhook.audited) {
      const index = requestId?.slice(2) ?? '';
      expect(review).toMatchObject({ requester: `person-${index}`, name: `n-${index}` });
      if (user !== undefined) expect(user).toBe(`person-${index}`);
    }
    await until(async () => (await webhook.inFlight()) === 0);
    expect(webhook.clock.sleeping).toBe(0);
  });

  it('and logs whom and what it was about, but nothing of the object', async () => {
    const secret = 'hunter2-in-an-object';
    const webhook = await start({ mutate: says({ outcome: 'allowed', patch: PATCH }) });
    await webhook.send({
      body: reviewBytes({
        object: { metadata: { name: secret }, data: secret },
        userInfo: { username: 'u'.repeat(9_000), extra: { [secret]: [secret] } },
      }),
    });
    expect(JSON.stringify([webhook.log(), webhook.audited])).not.toContain(secret);
    expect(webhook.log()).toMatchObject([
      { message: 'Review answered', outcome: 'changed', requester: `${'u'.repeat(253)}...`, name: 'train-0' },
    ]);
  });

  it('to nobody who has gone, whose decision is told so', async () => {
    let signal: AbortSignal | undefined;
    const webhook = await start({
      mutate: (_review, given) => {
        signal = given;
        return new Promise(() => undefined);
      },
    });
    const gone = new AbortController();
    const reply = webhook.send({ signal: gone.signal });
    reply.catch(() => undefined);
    await until(() => signal !== undefined);
    gone.abort();
    await expect(reply).rejects.toThrow();
    await until(() => signal?.aborted === true);
    await until(async () => (await webhook.counted())['mutate aborted'] === 1);
    expect(await webhook.inFlight()).toBe(0);
    expect(webhook.clock.sleeping).toBe(0);
    expect(webhook.audited).toEqual([]);
  });
});

describe('the webhook lets all through that it can read, for audit only', () => {
  it.each<[string, string, Decide]>([
    ['a fault', 'failed', () => Promise.reject(new Error('broken'))],
    [
      'what throws',
      'failed',
      () => {
        throw new Error('broken');
      },
    ],
    ['a refusal', 'refused', says({ outcome: 'refused', reason: 'x', text: 'x' })],
    [
      'what could not be checked',
      'could-not-check',
      says({ outcome: 'could-not-check', dependency: 'x', text: 'x' }),
    ],
    ['a decision that there is not', 'failed', says({ outcome: 'perhaps' } as never)],
  ])('%s, and counts it as it was', async (_, outcome, mutate) => {
    const { audited, counted, ...webhook } = await start({ mutate, letAllThrough: true });
    expect(responseOf(await webhook.send())).toEqual({ uid: UID, allowed: true });
    expect(await counted()).toEqual({ [`mutate ${outcome}`]: 1 });
    expect(audited).toEqual([]);
  });

  it('a decision that takes too long', async () => {
    const { clock, audited, ...webhook } = await start({
      mutate: () => new Promise(() => undefined),
      letAllThrough: true,
    });
    const reply = webhook.send();
    await until(() => clock.sleeping > 0);
    await clock.advance(10_000);
    expect(responseOf(await reply)).toEqual({ uid: UID, allowed: true });
    expect(audited).toEqual([]);
  });

  it('an object that is too deep', async () => {
    const deep = JSON.parse(`${'['.repeat(500)}${']'.repeat(500)}`) as unknown;
    const webhook = await start({ letAllThrough: true });
    const reply = await webhook.send({ body: reviewBytes({ object: { deep } }) });
    expect(responseOf(reply)).toEqual({ uid: UID, allowed: true });
  });

  it('but not what is no review', async () => {
    const webhook = await start({ letAllThrough: true });
    expect(await webhook.send({ body: '{}' })).toMatchObject({ status: 400 });
  });
});
