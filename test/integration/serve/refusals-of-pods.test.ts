import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { decodeJwt } from 'jose';
import { Secret } from '../../../src/observability/secret.ts';
import { type PodTokenClaims, TokenForger } from '../forged-tokens.ts';
import type { TestNamespace } from '../kubernetes-objects.ts';
import { waitFor } from '../serve-process.ts';
import type { ServeProcess } from '../serve-process.ts';
import { notAuthenticated, RefusalWorld } from './refusal-world.ts';
import { askCredentials, askExactly, AUDIENCE } from './serve-world.ts';
import type { Answer } from './serve-world.ts';

const LIVE_GET = /^GET \/api\/v1\/namespaces\/[^/]+\/pods\//;
/** Of a yes, by kube-apiserver and by us. */
const REVIEW_CACHE_MS = 10_000;

describe('pods that are refused, none of which reaches the NameNode', () => {
  let refusals: RefusalWorld;
  let namespace: TestNamespace;

  beforeAll(async () => {
    refusals = await RefusalWorld.create();
    ({ namespace } = refusals.world);
  });

  afterAll(async () => {
    await refusals[Symbol.asyncDispose]();
  });

  let users = 0;
  /** Each of a user of its own, so that no token at hand could hide that the NameNode is asked. */
  const pod = (options: { user?: string; name?: string; podIp?: string; serviceAccount?: string } = {}) => {
    users += 1;
    return refusals.world.pod({ user: `user${String(users).padStart(3, '0')}`, ...options });
  };
  const ask = (serviceAccountToken: string) => askCredentials(refusals.serve, serviceAccountToken);

  /** A pod that was served a moment ago, so that every cache knows its token. */
  const servedPod = async (options: Parameters<typeof pod>[0] = {}) => {
    const served = await pod(options);
    expect((await ask(served.serviceAccountToken)).status).toBe(200);
    return served;
  };

  /** Asks until the answer is no, and says how long that took. */
  const untilRefused = async (serviceAccountToken: string, what: string): Promise<Answer> => {
    const startedAt = performance.now();
    let answer: Answer | undefined;
    await waitFor(async () => (answer = await ask(serviceAccountToken)).status !== 200);
    const tookMs = performance.now() - startedAt;
    process.stdout.write(`${what}: refused after ${tookMs.toFixed(0)} ms\n`);
    if (answer === undefined) throw new Error('nobody was asked');
    // By what we know, and not because the API server's own answer has grown old.
    expect(tookMs).toBeLessThan(REVIEW_CACHE_MS / 2);
    return answer;
  };

  describe('one that is gone', () => {
    it('a deleted pod that nobody has asked about yet', async () => {
      const { pod: gone, serviceAccountToken } = await pod();
      await namespace.deletePod(gone, 0);
      await refusals.expectRefused(
        () => ask(serviceAccountToken),
        notAuthenticated('service-account-token-invalid'),
      );
    });

    it('a deleted pod that was served a moment ago: at once, though the API server still accepts its token', async () => {
      const { pod: gone, serviceAccountToken } = await servedPod();
      await namespace.deletePod(gone, 0);
      const answer = await untilRefused(serviceAccountToken, 'deleted pod');
      await refusals.expectRefused(
        () => Promise.resolve(answer),
        notAuthenticated('pod-not-found', { pod: gone }),
      );
    });

    it('a pod that was created anew under its name', async () => {
      const { pod: old, serviceAccountToken } = await pod();
      await namespace.deletePod(old, 0);
      const next = await pod({ name: old.name });
      await refusals.expectRefused(
        () => ask(serviceAccountToken),
        notAuthenticated('service-account-token-invalid'),
      );
      expect((await ask(next.serviceAccountToken)).status).toBe(200);
    });

    it('a pod that was served, then created anew under its name: at once', async () => {
      const { pod: old, serviceAccountToken } = await servedPod();
      await namespace.deletePod(old, 0);
      const next = await pod({ name: old.name, user: 'bob' });
      const answer = await untilRefused(serviceAccountToken, 'pod created anew');
      await refusals.expectRefused(
        () => Promise.resolve(answer),
        notAuthenticated('pod-uid-differs', {
          detail: new RegExp(`token ${old.uid}, pod ${next.pod.uid}`),
          pod: old,
        }),
      );
      const own = await ask(next.serviceAccountToken);
      expect(own.json).toMatchObject({ owner: 'bob' });
    });

    it.each(['Succeeded', 'Failed'])('a pod that has finished: %s', async (phase) => {
      const fresh = await pod();
      await namespace.setPhase(fresh.pod, phase);
      const refusal = notAuthenticated('pod-finished', {
        detail: new RegExp(`${fresh.pod.name}: ${phase}`),
        pod: fresh.pod,
      });
      // The API server says yes to its token for as long as the object is there.
      await refusals.expectRefused(() => ask(fresh.serviceAccountToken), refusal);

      const served = await servedPod();
      await namespace.setPhase(served.pod, phase);
      const answer = await untilRefused(served.serviceAccountToken, `pod that was served, ${phase}`);
      await refusals.expectRefused(
        () => Promise.resolve(answer),
        notAuthenticated('pod-finished', { pod: served.pod }),
      );
    });

    it('a terminating pod is served until its grace period ends, and not a minute longer', async () => {
      // Its processes run until then, and may be flushing their output to HDFS: refusing them would lose data that
      // the grace period is for. The API server goes on accepting the token for a minute more, which has no use.
      const long = await pod();
      await namespace.deletePod(long.pod, 300);
      expect((await ask(long.serviceAccountToken)).status).toBe(200);

      const short = await pod();
      await namespace.deletePod(short.pod, 2);
      const answer = await untilRefused(short.serviceAccountToken, 'terminating pod with 2 s');
      await refusals.expectRefused(
        () => Promise.resolve(answer),
        notAuthenticated('pod-deleted', { pod: short.pod }),
      );
      expect((await ask(long.serviceAccountToken)).status).toBe(200);
    });
  });

  describe('its account', () => {
    it('is another one than the pod’s: the API server makes no such token', async () => {
      await namespace.createServiceAccount('another');
      const { pod: bound } = await pod();
      await expect(
        namespace.requestToken([AUDIENCE], { pod: bound, serviceAccount: 'another' }),
      ).rejects.toMatchObject({ code: 400 });
    });

    it('is another one than the pod’s, in a token that the API server accepts all the same', async () => {
      await using forger = await TokenForger.create(refusals.world.stack);
      await namespace.createServiceAccount('impostor');
      const { pod: bound, serviceAccountToken } = await pod();
      const another = await namespace.requestToken([AUDIENCE], { serviceAccount: 'impostor' });
      const claimsOf = (token: string) => decodeJwt<PodTokenClaims>(token)['kubernetes.io'];
      const { serviceaccount } = claimsOf(another.reveal()) ?? {};
      const forged = await forger.resign(new Secret(serviceAccountToken), {
        claims: {
          sub: `system:serviceaccount:${namespace.name}:impostor`,
          'kubernetes.io': { ...claimsOf(serviceAccountToken), serviceaccount },
        },
      });
      await refusals.expectRefused(
        () => ask(forged.reveal()),
        notAuthenticated('pod-service-account-differs', {
          detail: /token impostor, pod trainer/,
          pod: { ...bound, serviceAccount: 'impostor' },
        }),
      );
    });

    it('was deleted', async () => {
      await namespace.createServiceAccount('gone');
      const { serviceAccountToken } = await pod({ serviceAccount: 'gone' });
      await namespace.deleteServiceAccount('gone');
      await refusals.expectRefused(
        () => ask(serviceAccountToken),
        notAuthenticated('service-account-token-invalid'),
      );
    });

    it('was deleted and created anew under its name', async () => {
      await namespace.createServiceAccount('renewed');
      const { serviceAccountToken, pod: old } = await pod({ serviceAccount: 'renewed' });
      await namespace.deleteServiceAccount('renewed');
      await namespace.createServiceAccount('renewed');
      await refusals.expectRefused(
        () => ask(serviceAccountToken),
        notAuthenticated('service-account-token-invalid'),
      );
      // With a token of the account that is there now the same pod is served.
      const renewed = await namespace.requestToken([AUDIENCE], { pod: old });
      expect((await ask(renewed.reveal())).status).toBe(200);
    });

    it('was created anew after the pod was served: refused when the API server’s own cache has ended', async () => {
      await namespace.createServiceAccount('changed');
      const { serviceAccountToken } = await servedPod({ serviceAccount: 'changed' });
      const startedAt = performance.now();
      await namespace.deleteServiceAccount('changed');
      await namespace.createServiceAccount('changed');
      // Nothing but a TokenReview tells the UID of an account, and kube-apiserver remembers each for 10 s.
      let answer: Answer | undefined;
      await waitFor(async () => (answer = await ask(serviceAccountToken)).status !== 200);
      const tookMs = performance.now() - startedAt;
      process.stdout.write(`account created anew: refused after ${tookMs.toFixed(0)} ms\n`);
      // Theirs and ours do not add up to more than that.
      expect(tookMs).toBeLessThan(2 * REVIEW_CACHE_MS);
      await refusals.expectRefused(
        () => (answer === undefined ? ask(serviceAccountToken) : Promise.resolve(answer)),
        notAuthenticated('service-account-token-invalid'),
      );
    });
  });

  describe('its address', () => {
    const from = (
      serviceAccountToken: string,
      { serve = refusals.serve, address = '127.0.0.1', headers = [] as [string, string][] } = {},
    ) =>
      askExactly(serve, {
        headers: [['Authorization', `Bearer ${serviceAccountToken}`], ...headers],
        from: address,
      });

    it('is not where the request comes from: a token that was carried away', async () => {
      const { pod: robbed, serviceAccountToken } = await pod({ podIp: '127.0.0.2' });
      await refusals.expectRefused(
        () => from(serviceAccountToken),
        notAuthenticated('source-address-differs', {
          pod: robbed,
          detail: /request from 127\.0\.0\.1, pod at 127\.0\.0\.2/,
        }),
      );
      expect((await from(serviceAccountToken, { address: '127.0.0.2' })).status).toBe(200);
      // Also when the token was served a moment ago, so that nothing is asked anew.
      await refusals.expectRefused(
        () => from(serviceAccountToken, { address: '127.0.0.3' }),
        notAuthenticated('source-address-differs', { pod: robbed, sourceAddress: '127.0.0.3' }),
      );
    });

    it.each(['X-Forwarded-For', 'X-Real-IP', 'Forwarded', 'X-Client-IP', 'True-Client-IP'])(
      'is said by %s, which anybody can write',
      async (name) => {
        const { pod: robbed, serviceAccountToken } = await pod({ podIp: '127.0.0.2' });
        const value = name === 'Forwarded' ? 'for=127.0.0.2' : '127.0.0.2';
        await refusals.expectRefused(
          () => from(serviceAccountToken, { headers: [[name, value]] }),
          notAuthenticated('source-address-differs', { pod: robbed }),
        );
      },
    );

    it('is not taken away by an X-Forwarded-For', async () => {
      const { serviceAccountToken } = await pod();
      const faked = await from(serviceAccountToken, { headers: [['X-Forwarded-For', '127.0.0.2']] });
      expect(faked.status).toBe(200);
    });

    it('is not known yet: 503, and 200 as soon as the kubelet has written it', async () => {
      const elsewhere = await refusals.world.anotherNamespace();
      const early = await elsewhere.createPod({ user: 'alice' });
      const token = (await elsewhere.requestToken([AUDIENCE], { pod: early })).reveal();
      const before = refusals.kubernetes.count(LIVE_GET);
      const answer = await refusals.expectRefused(() => ask(token), {
        status: 503,
        code: 'authentication-unavailable',
        reason: 'pod-address',
        dependency: 'pod-address',
        pod: early,
      });
      expect(Number(answer.headers.get('retry-after'))).toBeLessThanOrEqual(2);
      // Not before the API server itself was asked.
      expect(refusals.kubernetes.count(LIVE_GET)).toBe(before + 1);
      await elsewhere.setPodIp(early, '127.0.0.1');
      expect((await ask(token)).status).toBe(200);
    });

    describe('behind a trusted proxy', () => {
      let serve: ServeProcess;
      let serviceAccountToken: string;

      beforeAll(async () => {
        serve = await refusals.world.serve({
          ...refusals.config,
          listen: { trustedProxies: ['127.0.0.1', '10.200.0.0/16'] },
        });
        ({ serviceAccountToken } = await pod({ podIp: '10.1.2.3' }));
      });

      const through = (...lines: readonly string[]) =>
        from(serviceAccountToken, { serve, headers: lines.map((line) => ['X-Forwarded-For', line]) });

      it.each<[string, string[], string | undefined]>([
        ['the proxy says another address', ['10.9.9.9'], '10.9.9.9'],
        ['the caller wrote the pod’s address, and the proxy its own', ['10.1.2.3, 10.9.9.9'], '10.9.9.9'],
        ['the same in two lines', ['10.1.2.3', '10.9.9.9'], '10.9.9.9'],
        ['behind two proxies', ['10.1.2.3, 10.9.9.9, 10.200.0.7'], '10.9.9.9'],
        ['the proxy says nothing', [], '127.0.0.1'],
        ['the proxy says no address', ['unknown'], undefined],
        ['the proxy says a port too', ['10.1.2.3:4711'], undefined],
        ['nothing after the comma', ['10.1.2.3,'], undefined],
      ])('%s', async (_name, lines, sourceAddress) => {
        const before = refusals.tokensAsked;
        const answer = await through(...lines);
        expect(answer.status).toBe(401);
        const line = await serve.auditLineOf(answer.json['requestId']);
        expect(line).toMatchObject({
          decision: 'refused',
          reason: sourceAddress === undefined ? 'source-address-unknown' : 'source-address-differs',
        });
        expect(line['sourceAddress']).toBe(sourceAddress);
        expect(refusals.tokensAsked).toBe(before);
      });

      it('who connects is no trusted proxy', async () => {
        const answer = await from(serviceAccountToken, {
          serve,
          address: '127.0.0.9',
          headers: [['X-Forwarded-For', '10.1.2.3']],
        });
        expect(answer.status).toBe(401);
        const line = await serve.auditLineOf(answer.json['requestId']);
        expect(line).toMatchObject({ reason: 'source-address-differs', sourceAddress: '127.0.0.9' });
      });

      it.each([
        ['the proxy says the pod’s address', ['10.1.2.3']],
        ['the caller wrote another one before that', ['10.9.9.9, 10.1.2.3']],
        ['the caller wrote nonsense before that', ['nonsense', '10.1.2.3']],
        ['behind two proxies', ['10.1.2.3, 10.200.0.7']],
      ])('200: %s', async (_name, lines) => {
        expect((await through(...lines)).status).toBe(200);
      });
    });
  });

  it('let nothing through, and the way was open', async () => {
    await refusals.expectOpenWay();
  });
});
