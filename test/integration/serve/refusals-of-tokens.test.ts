import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { connect } from 'node:net';
import { Secret } from '../../../src/observability/secret.ts';
import { FORGERIES, type ForgeryName, TokenForger } from '../forged-tokens.ts';
import { TOKEN_REVIEW } from '../kubernetes-proxy.ts';
import { waitFor } from '../serve-process.ts';
import { notAuthenticated, RefusalWorld } from './refusal-world.ts';
import { askCredentials, askExactly, AUDIENCE } from './serve-world.ts';

const DISCOVERY = /^GET \/(?:\.well-known\/openid-configuration|openid\/v1\/jwks)$/;
const LIVE_GET = /^GET \/api\/v1\/namespaces\/[^/]+\/pods\//;

/** Why each forgery is refused; all but `service-account-token-invalid` without asking anybody. */
const REASONS: Readonly<Record<ForgeryName, string>> = {
  'alg: none': 'jwt-algorithm-not-allowed',
  'alg: none with the kid': 'jwt-algorithm-not-allowed',
  'alg: NoNe': 'jwt-algorithm-not-allowed',
  'HS256 with the public key in PEM': 'jwt-algorithm-not-allowed',
  'HS256 with the public key in DER': 'jwt-algorithm-not-allowed',
  'PS256 with the right key': 'jwt-algorithm-not-allowed',
  'ES256 with another key and the right kid': 'jwt-algorithm-not-allowed',
  'signature cut off': 'jwt-signature-invalid',
  'signature of other claims': 'jwt-signature-invalid',
  'another key with the right kid': 'jwt-signature-invalid',
  'another key with an unknown kid': 'service-account-token-invalid',
  'another key without a kid': 'service-account-token-invalid',
  'the right key with an unknown kid': 'service-account-token-invalid',
  // The signature is right, and the API server, which tries all its keys, says yes.
  'the right key without a kid': 'allowed',
  'embedded jwk': 'jwt-signature-invalid',
  jku: 'jwt-signature-invalid',
  'jku with an unknown kid': 'service-account-token-invalid',
  x5u: 'jwt-algorithm-not-allowed',
  x5c: 'jwt-algorithm-not-allowed',
  'crit that nobody knows': 'jwt-malformed',
  'wrong issuer': 'jwt-issuer-differs',
  'no issuer': 'jwt-malformed',
  'another audience': 'jwt-audience-differs',
  'no audience': 'jwt-audience-differs',
  'several audiences': 'jwt-several-audiences',
  expired: 'jwt-expired',
  'no expiry': 'jwt-without-expiry',
  'not yet valid': 'jwt-not-yet-valid',
  'issued in the future': 'jwt-not-yet-valid',
  'valid for 400 days': 'jwt-lifetime-too-long',
  'another pod UID': 'service-account-token-invalid',
  'another pod name': 'service-account-token-invalid',
  'no pod': 'jwt-without-pod',
  'another account UID': 'service-account-token-invalid',
  // The subject is the right one still.
  'another account name': 'jwt-malformed',
  'another namespace': 'jwt-malformed',
  'another subject': 'jwt-malformed',
};

describe('tokens that are refused, none of which reaches the NameNode', () => {
  let refusals: RefusalWorld;
  let forger: TokenForger;
  let real: string;

  beforeAll(async () => {
    refusals = await RefusalWorld.create();
    forger = await TokenForger.create(refusals.world.stack);
    real = (await refusals.world.pod({ user: 'alice' })).serviceAccountToken;
  });

  afterAll(async () => {
    await refusals[Symbol.asyncDispose]();
    await forger[Symbol.asyncDispose]();
  });

  const reviews = (): number => refusals.kubernetes.count(TOKEN_REVIEW);
  const ask = (serviceAccountToken: string | undefined) => () =>
    askCredentials(refusals.serve, serviceAccountToken);
  const askWith =
    (...lines: readonly string[]) =>
    () =>
      askExactly(refusals.serve, { headers: lines.map((line) => ['Authorization', line]) });

  it.each<[string, (token: string) => readonly string[], string]>([
    ['no token', () => [], 'no-bearer-token'],
    ['an empty header', () => [''], 'no-bearer-token'],
    ['Basic', () => [`Basic ${Buffer.from('alice:secret').toString('base64')}`], 'no-bearer-token'],
    ['Negotiate', (token) => [`Negotiate ${token}`], 'no-bearer-token'],
    ['Bearer without a token', () => ['Bearer '], 'bearer-token-malformed'],
    ['two blanks', (token) => [`Bearer  ${token}`], 'bearer-token-malformed'],
    ['two tokens in one line', (token) => [`Bearer ${token}, Bearer ${token}`], 'bearer-token-malformed'],
    [
      'two Authorization headers',
      (token) => [`Bearer ${token}`, `Bearer ${token}`],
      'several-authorization-headers',
    ],
    [
      'two Authorization headers, of which the second is empty',
      (token) => [`Bearer ${token}`, ''],
      'several-authorization-headers',
    ],
    ['garbage', () => ['Bearer garbage'], 'jwt-malformed'],
    ['garbage in three parts', () => ['Bearer aaa.bbb.ccc'], 'jwt-malformed'],
    ['garbage of odd characters', () => ['Bearer "{}"'], 'bearer-token-malformed'],
  ])('%s', async (_name, lines, reason) => {
    const before = reviews();
    await refusals.expectRefused(askWith(...lines(real)), notAuthenticated(reason));
    expect(reviews()).toBe(before);
  });

  it('a header of 1 MB: 431, and a line of the audit that stands for all of its kind', async () => {
    const before = refusals.tokensAsked;
    const { hostname, port } = new URL(refusals.serve.url);
    const socket = connect(Number(port), hostname);
    let received = '';
    socket.on('data', (chunk: Buffer) => (received += chunk.toString()));
    // It hangs up long before it has read all of it, so an error may come before the end.
    const ended = new Promise((resolve) => socket.on('error', () => undefined).on('close', resolve));
    socket.write(
      `GET /v1/credentials HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${'a'.repeat(1 << 20)}\r\n\r\n`,
    );
    await ended;
    expect(received).toMatch(/^HTTP\/1\.1 431 /);
    const body = JSON.parse(received.slice(received.indexOf('\r\n\r\n'))) as unknown;
    expect(body).toEqual({
      title: 'The request line and headers are too long',
      status: 431,
      code: 'headers-too-large',
      requestId: expect.any(String),
    });
    const lines = () => refusals.serve.auditLines().filter(({ reason }) => reason === 'headers-too-large');
    await waitFor(() => lines().length > 0);
    expect(lines()).toEqual([
      {
        audit: 1,
        time: expect.any(String),
        replica: expect.any(String),
        decision: 'malformed',
        status: 431,
        code: 'headers-too-large',
        reason: 'headers-too-large',
        requests: 1,
      },
    ]);
    expect(refusals.tokensAsked).toBe(before);
  });

  const forged = FORGERIES.filter((name) => REASONS[name] !== 'allowed');
  it.each(forged.map((name) => [name, REASONS[name]] as const))('%s: %s', async (name, reason) => {
    const token = (await forger.forge(name, new Secret(real))).reveal();
    const before = reviews();
    await refusals.expectRefused(ask(token), notAuthenticated(reason));
    expect(reviews() - before).toBeGreaterThanOrEqual(reason === 'service-account-token-invalid' ? 1 : 0);
    if (reason !== 'service-account-token-invalid') expect(reviews()).toBe(before);
  });

  it('keys that a token names are never fetched', () => {
    expect(forger.fetches).toEqual([]);
  });

  it.each<[string, readonly string[], string]>([
    ['for another audience', ['vault'], 'jwt-audience-differs'],
    ['for the API server itself', [], 'jwt-audience-differs'],
    ['for several audiences', [AUDIENCE, 'vault'], 'jwt-several-audiences'],
  ])('a real token %s', async (_name, audiences, reason) => {
    const pod = await refusals.world.namespace.createPod({ user: 'alice', podIp: '127.0.0.1' });
    const token = await refusals.world.namespace.requestToken(audiences, { pod });
    await refusals.expectRefused(ask(token.reveal()), notAuthenticated(reason));
  });

  it('a real token of an account, without a pod', async () => {
    const token = await refusals.world.namespace.requestToken([AUDIENCE], {});
    await refusals.expectRefused(ask(token.reveal()), notAuthenticated('jwt-without-pod'));
  });

  it('the same token again costs the API server nothing, a no as little as a yes', async () => {
    const token = (await forger.forge('another account UID', new Secret(real))).reveal();
    await refusals.expectRefused(ask(token), notAuthenticated('service-account-token-invalid'));
    const before = reviews();
    for (let again = 0; again < 3; again += 1) {
      await refusals.expectRefused(ask(token), notAuthenticated('service-account-token-invalid'));
    }
    expect(reviews()).toBe(before);
  });

  it('300 tokens with keys that nobody knows, at once: few calls, and a good caller gets through', async () => {
    const { kubernetes, serve } = refusals;
    const good = await refusals.world.pod(
      { user: 'bob' },
      { namespace: await refusals.world.anotherNamespace() },
    );
    const tokens = await Promise.all(
      Array.from({ length: 300 }, () =>
        forger.resign(new Secret(real), {
          key: forger.otherKey,
          header: { kid: randomUUID() },
          claims: { jti: randomUUID() },
        }),
      ),
    );
    const before = {
      reviews: reviews(),
      discovery: kubernetes.count(DISCOVERY),
      gets: kubernetes.count(LIVE_GET),
    };
    const asked = refusals.tokensAsked;
    const startedAt = performance.now();
    // From several addresses: one may have 100 connections.
    const storm = tokens.map((token, index) =>
      askExactly(serve, {
        headers: [['Authorization', `Bearer ${token.reveal()}`]],
        from: `127.0.0.${2 + (index % 5)}`,
      }),
    );
    const allowed = askCredentials(serve, good.serviceAccountToken);
    const answers = await Promise.all(storm);
    const seconds = (performance.now() - startedAt) / 1000;
    expect((await allowed).status).toBe(200);

    const withStatus = (status: number) => answers.filter((answer) => answer.status === status);
    const [refused, overloaded] = [withStatus(401), withStatus(503)];
    const calls = {
      reviews: reviews() - before.reviews - 1,
      discovery: kubernetes.count(DISCOVERY) - before.discovery,
      gets: kubernetes.count(LIVE_GET) - before.gets,
    };
    process.stdout.write(
      `unknown keys: 300 tokens in ${seconds.toFixed(2)} s: ${refused.length} × 401, ${overloaded.length} × 503; ` +
        `${calls.reviews} TokenReviews, ${calls.discovery} GETs of keys, ${calls.gets} of pods\n`,
    );
    expect(refused.length + overloaded.length).toBe(300);
    // A burst of 20, then 5 a second.
    expect(calls.reviews).toBeLessThanOrEqual(20 + Math.ceil(5 * seconds));
    expect(calls.reviews).toBe(refused.length);
    // One discovery is the document and the keys.
    expect(calls.discovery).toBeLessThanOrEqual(2);
    // The good one, should the reflector not have heard of it yet.
    expect(calls.gets).toBeLessThanOrEqual(1);
    expect(refusals.tokensAsked).toBe(asked + 1);

    const [first] = overloaded;
    if (first === undefined) throw new Error('nobody was turned away');
    await refusals.expectRefused(() => Promise.resolve(first), {
      status: 503,
      code: 'overloaded',
      reason: 'unknown-signing-keys',
      dependency: 'unknown-signing-keys',
      sourceAddress: `127.0.0.${2 + (answers.indexOf(first) % 5)}`,
    });
    for (const { json } of answers) await serve.auditLineOf(json['requestId']);
  });

  it('let nothing through, and the way was open: also for a token without a kid', async () => {
    const token = (await forger.forge('the right key without a kid', new Secret(real))).reveal();
    // The storm has used up what there is for unknown keys; some of it comes back each second.
    await waitFor(async () => (await askCredentials(refusals.serve, token)).status === 200);
    expect(forger.fetches).toEqual([]);
    await refusals.expectOpenWay();
  });
});
