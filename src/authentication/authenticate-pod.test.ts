import { describe, expect, it } from '@jest/globals';
import { FakeClock } from '../../test/fakes/fake-clock.ts';
import { FakeKubernetesApi } from '../../test/fakes/fake-kubernetes-api.ts';
import { Secret } from '../observability/secret.ts';
import {
  createPodAuthenticator,
  type PodAuthenticatorOptions,
  type RecallReview,
} from './authenticate-pod.ts';
import { KubernetesQueueError, type PodView, type ServiceAccountTokenReview } from './kubernetes-access.ts';
import type { TokenClaims, TokenFilterResult, UnprovenReason } from './token-claims.ts';

const AUDIENCE = 'kerbridge';
const ACCOUNT = { namespace: 'team-a', serviceAccount: 'trainer' };
const ADDRESS = '10.0.0.7';
const PLENTY = { take: () => true };
const NONE = { take: () => false };

/** A chain whose parts all say yes, with changes. */
function setUp(
  change: Partial<PodAuthenticatorOptions> = {},
  say: (claims: TokenClaims) => TokenFilterResult = (claims) => ({ outcome: 'verified', claims }),
) {
  const clock = new FakeClock();
  const api = new FakeKubernetesApi(clock);
  const pod = api.createPod({ name: 'job-1', ...ACCOUNT, annotations: { 'iddecorator.username': 'alice' } });
  const serviceAccountToken = api.issueToken([AUDIENCE], ACCOUNT, pod);
  const reflected = new Map<string, PodView>();
  const authenticate = createPodAuthenticator({
    recallReview: () => undefined,
    filterServiceAccountToken: async (shown) => {
      const claims = api.claimsOf(shown);
      if (claims === undefined) return { outcome: 'refused', reason: 'jwt-malformed' };
      return say(claims);
    },
    reviewBoundToken: (shown, _claims, options) => api.reviewServiceAccountToken(shown, [AUDIENCE], options),
    lookUpPod: (namespace, name) => reflected.get(`${namespace}/${name}`),
    getPod: api.getPod,
    audience: AUDIENCE,
    unprovenTokens: { 'unknown-key': PLENTY, 'keys-unavailable': PLENTY },
    checkSourceAddress: true,
    clock,
    ...change,
  });
  const reflect = (view: PodView) => reflected.set(`${view.namespace}/${view.name}`, view);
  return { clock, api, authenticate, pod, serviceAccountToken, reflect };
}

const from = (serviceAccountToken: Secret<string>, sourceAddress: string | undefined = ADDRESS) => ({
  authorization: [`Bearer ${serviceAccountToken.reveal()}`],
  sourceAddress,
});
const refused = (reason: string) => expect.objectContaining({ outcome: 'refused', reason }) as unknown;

describe('createPodAuthenticator', () => {
  it.each([
    ['no header', 'bearer-scheme', [], 'no-bearer-token'],
    ['two headers', 'bearer-single-line', ['Bearer a', 'Bearer a'], 'several-authorization-headers'],
    ['a malformed token', 'bearer-characters', ['Bearer a b'], 'bearer-token-malformed'],
  ])('refuses %s without asking anybody [%s]', async (_name, _check, authorization, reason) => {
    const { authenticate, api } = setUp();
    expect(await authenticate({ authorization, sourceAddress: ADDRESS })).toEqual(refused(reason));
    expect(api.calls).toEqual([]);
  });

  it('refuses what the filter refuses, without asking anybody [token-filter]', async () => {
    const { authenticate, api } = setUp();
    expect(await authenticate(from(new Secret('garbage')))).toEqual(refused('jwt-malformed'));
    expect(api.calls).toEqual([]);
  });

  it('refuses a caller whose address cannot be told, without asking anybody [source-address-known]', async () => {
    const { authenticate, api, serviceAccountToken } = setUp();
    const caller = { ...from(serviceAccountToken), sourceAddress: undefined };
    expect(await authenticate(caller)).toEqual(refused('source-address-unknown'));
    expect(api.calls).toEqual([]);
  });

  it.each<UnprovenReason>(['unknown-key', 'keys-unavailable'])(
    'asks nobody about a token that is unproven (%s) when there were too many [unproven-token-limit]',
    async (why) => {
      const { authenticate, api, serviceAccountToken } = setUp(
        { unprovenTokens: { 'unknown-key': PLENTY, 'keys-unavailable': PLENTY, [why]: NONE } },
        (claims) => ({ outcome: 'unproven', why, claims }),
      );
      expect(await authenticate(from(serviceAccountToken))).toEqual({
        outcome: 'could-not-check',
        dependency: 'unknown-signing-keys',
      });
      expect(api.calls).toEqual([]);
    },
  );

  it.each<UnprovenReason>(['unknown-key', 'keys-unavailable'])(
    'leaves a token that is unproven (%s) to the API server, and only then asks for a place of the namespace',
    async (why) => {
      const { authenticate, api, serviceAccountToken } = setUp(
        { unprovenTokens: { 'unknown-key': NONE, 'keys-unavailable': NONE, [why]: PLENTY } },
        (claims) => ({ outcome: 'unproven', why, claims }),
      );
      const asked: string[] = [];
      const admitPod = ({ namespace }: { namespace: string }) => {
        asked.push(namespace, ...api.calls);
        return undefined;
      };
      expect((await authenticate(from(serviceAccountToken), { admitPod })).outcome).toBe('authenticated');
      expect(asked).toEqual(['team-a', 'review for kerbridge']);
    },
  );

  it('holds the limit of a namespace also for a token that is unproven [pod-admitted-late]', async () => {
    const { authenticate, api, serviceAccountToken } = setUp({}, (claims) => ({
      outcome: 'unproven',
      why: 'keys-unavailable',
      claims,
    }));
    expect(await authenticate(from(serviceAccountToken), { admitPod: () => 'namespace' })).toEqual({
      outcome: 'limited',
      limit: 'namespace',
      namespace: 'team-a',
    });
    expect(api.calls).toEqual(['review for kerbridge']);
  });

  it('takes no place of a namespace for an unproven token that the API server refuses', async () => {
    const { authenticate, api, pod, serviceAccountToken } = setUp({}, (claims) => ({
      outcome: 'unproven',
      why: 'keys-unavailable',
      claims,
    }));
    api.deletePod(pod);
    const asked: string[] = [];
    await authenticate(from(serviceAccountToken), {
      admitPod: ({ namespace }) => {
        asked.push(namespace);
        return undefined;
      },
    });
    expect(asked).toEqual([]);
  });

  it('asks nobody when as many are being checked as may [authentications-limit]', async () => {
    const { authenticate, api, serviceAccountToken } = setUp();
    expect(await authenticate(from(serviceAccountToken), { admitCheck: () => false })).toEqual({
      outcome: 'limited',
      limit: 'authentications',
    });
    expect(api.calls).toEqual([]);
  });

  it.each(['namespace', 'pod'] as const)(
    'asks nobody when the %s has its limit [pod-admitted]',
    async (limit) => {
      const { authenticate, api, pod, serviceAccountToken } = setUp();
      const asked: object[] = [];
      const result = await authenticate(from(serviceAccountToken), {
        admitPod: (claimed) => {
          asked.push(claimed);
          return limit;
        },
      });
      expect(result).toEqual({ outcome: 'limited', limit, namespace: 'team-a' });
      expect(asked).toEqual([{ namespace: 'team-a', uid: pod.uid }]);
      expect(api.calls).toEqual([]);
    },
  );

  it('neither filters nor reviews again what the API server said yes to a moment ago, but judges the pod [pod-finished]', async () => {
    let recalled: ReturnType<RecallReview>;
    const never = () => Promise.reject(new Error('asked'));
    const { api, authenticate, pod, serviceAccountToken } = setUp({
      recallReview: () => recalled,
      filterServiceAccountToken: never,
      reviewBoundToken: never,
    });
    const claims = api.claimsOf(serviceAccountToken);
    if (claims === undefined) throw new Error('no claims');
    recalled = { claims, review: await api.reviewServiceAccountToken(serviceAccountToken, [AUDIENCE]) };
    const counted: string[] = [];
    const admitPod = ({ namespace }: { namespace: string }) => {
      counted.push(namespace);
      return undefined;
    };
    expect((await authenticate(from(serviceAccountToken), { admitPod })).outcome).toBe('authenticated');
    expect(counted).toEqual(['team-a']);
    api.setPhase(pod, 'Succeeded');
    expect(await authenticate(from(serviceAccountToken))).toEqual(refused('pod-finished'));
  });

  it('asks whether one more may be checked only where something has to be asked [authentications-limit-live] [pod-uid]', async () => {
    let recalled: ReturnType<RecallReview>;
    const set = setUp({
      recallReview: () => recalled,
      unprovenTokens: { 'unknown-key': NONE, 'keys-unavailable': NONE },
    });
    const claims = set.api.claimsOf(set.serviceAccountToken);
    if (claims === undefined) throw new Error('no claims');
    recalled = {
      claims,
      review: await set.api.reviewServiceAccountToken(set.serviceAccountToken, [AUDIENCE]),
    };
    set.api.calls.splice(0);
    const ask = () => set.authenticate(from(set.serviceAccountToken), { admitCheck: () => false });
    expect(await ask()).toEqual({ outcome: 'limited', limit: 'authentications' });
    set.reflect({ ...set.pod, uid: 'of-the-one-before' });
    expect(await ask()).toEqual({ outcome: 'limited', limit: 'authentications' });
    set.reflect(set.pod);
    expect((await ask()).outcome).toBe('authenticated');
    expect(set.api.calls).toEqual([]);
  });

  describe('of a caller known from memory', () => {
    async function known(
      change: Partial<ServiceAccountTokenReview> = {},
      options: Partial<PodAuthenticatorOptions> = {},
    ) {
      let recalled: ReturnType<RecallReview>;
      const set = setUp({ recallReview: () => recalled, ...options });
      const claims = set.api.claimsOf(set.serviceAccountToken);
      if (claims === undefined) throw new Error('no claims');
      const review = await set.api.reviewServiceAccountToken(set.serviceAccountToken, [AUDIENCE]);
      recalled = { claims, review: { ...review, ...change } as ServiceAccountTokenReview };
      set.reflect(set.pod);
      set.api.calls.splice(0);
      return { ...set, ask: () => set.authenticate(from(set.serviceAccountToken)) };
    }

    it('knows at once that it is the pod in memory, and says so by the same object while that is the same', async () => {
      const { ask, pod, reflect, api } = await known();
      const yes = ask();
      expect(yes).toMatchObject({ outcome: 'authenticated', pod: { uid: pod.uid } });
      expect(ask()).toBe(yes);
      reflect({ ...pod, annotations: { 'iddecorator.username': 'bob' } });
      expect(ask()).toMatchObject({ pod: { annotations: { 'iddecorator.username': 'bob' } } });
      expect(api.calls).toEqual([]);
    });

    it('says so by the same object for each token of the pod: what is known of the pod holds for all', async () => {
      const set = setUp();
      set.reflect(set.pod);
      const another = set.api.issueToken([AUDIENCE], ACCOUNT, set.pod);
      expect(another.reveal()).not.toBe(set.serviceAccountToken.reveal());
      const yes = await set.authenticate(from(set.serviceAccountToken));
      expect(yes.outcome).toBe('authenticated');
      expect(await set.authenticate(from(another))).toBe(yes);
    });

    it('judges each token of the pod all the same [source-address]', async () => {
      const set = setUp();
      set.reflect(set.pod);
      const another = set.api.issueToken([AUDIENCE], ACCOUNT, set.pod);
      expect((await set.authenticate(from(set.serviceAccountToken))).outcome).toBe('authenticated');
      expect(await set.authenticate(from(another, '10.9.9.9'))).toEqual(refused('source-address-differs'));
    });

    it.each<[string, string, Partial<PodView>]>([
      ['pod-uid-differs', 'pod-uid', { uid: 'another' }],
      ['pod-service-account-differs', 'pod-service-account', { serviceAccount: 'other' }],
      ['pod-finished', 'pod-finished', { phase: 'Succeeded' }],
      ['pod-deleted', 'pod-deleted', { deletionTimestamp: 0 }],
      ['source-address-differs', 'source-address', { podIps: ['10.9.9.9'] }],
    ])(
      'asks for the live pod where the one in memory would be refused, and refuses that: %s [%s]',
      async (reason, _check, change) => {
        const { ask, api, pod, reflect } = await known();
        expect(ask()).toMatchObject({ outcome: 'authenticated' });
        const now = { ...pod, ...change };
        reflect(now);
        api.createPod(now);
        expect(await ask()).toEqual(refused(reason));
        expect(api.calls).toEqual(['get pod team-a/job-1']);
      },
    );

    it.each<[string, string, object]>([
      ['audience-not-returned', 'review-audience', { audiences: [] }],
      ['not-a-service-account', 'review-service-account', { username: 'alice' }],
      ['review-differs-from-token', 'review-same-account-uid', { uid: 'another' }],
    ])(
      'refuses at once, each time, what the review does not say: %s [%s]',
      async (reason, _check, change) => {
        const { ask } = await known(change);
        expect(ask()).toEqual(refused(reason));
        expect(ask()).toEqual(refused(reason));
      },
    );

    it('gives what it throws as could not check, as ever', async () => {
      const cause = new Error('oops');
      const { ask } = await known(
        {},
        {
          lookUpPod: () => {
            throw cause;
          },
        },
      );
      expect(await ask()).toEqual({ outcome: 'could-not-check', dependency: 'kubernetes-api', cause });
    });
  });

  it("gives the API server's no [review-authenticated]", async () => {
    const { authenticate, api, pod, serviceAccountToken } = setUp();
    api.deletePod(pod);
    expect(await authenticate(from(serviceAccountToken))).toEqual(refused('service-account-token-invalid'));
  });

  it('asks for the live pod when the reflector does not know it', async () => {
    const { authenticate, api, pod, serviceAccountToken } = setUp();
    expect(await authenticate(from(serviceAccountToken))).toEqual({
      outcome: 'authenticated',
      pod: {
        namespace: 'team-a',
        name: 'job-1',
        uid: pod.uid,
        createdAt: Date.parse('2026-01-01T00:00:00Z'),
        serviceAccount: 'trainer',
        annotations: { 'iddecorator.username': 'alice' },
      },
    });
    expect(api.calls).toEqual(['review for kerbridge', 'get pod team-a/job-1']);
  });

  it('asks for no pod that the reflector knows', async () => {
    const { authenticate, api, pod, serviceAccountToken, reflect } = setUp();
    reflect(pod);
    expect((await authenticate(from(serviceAccountToken))).outcome).toBe('authenticated');
    expect(api.calls).toEqual(['review for kerbridge']);
  });

  it.each<[string, string, Partial<PodView>]>([
    ['another UID', '[pod-uid]', { uid: 'of-the-one-before' }],
    ['another account', '[pod-service-account]', { serviceAccount: 'other' }],
    ['a finished pod', '[pod-finished]', { phase: 'Succeeded' }],
    ['a deleted pod', '[pod-deleted]', { deletionTimestamp: 0 }],
    ['no address', '(one check or the other)', { podIps: [] }],
    ['another address', '[source-address]', { podIps: ['10.9.9.9'] }],
  ])('does not refuse on the word of the reflector alone: %s %s', async (_name, _check, behind) => {
    const { authenticate, api, pod, serviceAccountToken, reflect } = setUp();
    reflect({ ...pod, ...behind });
    expect((await authenticate(from(serviceAccountToken))).outcome).toBe('authenticated');
    expect(api.calls).toEqual(['review for kerbridge', 'get pod team-a/job-1']);
  });

  it.each<[string, string, Partial<PodView>]>([
    ['pod-service-account-differs', 'pod-service-account', { serviceAccount: 'other' }],
    ['pod-finished', 'pod-finished', { phase: 'Failed' }],
    ['source-address-differs', 'source-address', { podIps: ['10.9.9.9'] }],
  ])('refuses with %s what the live pod is [%s]', async (reason, _check, change) => {
    const { authenticate, api, pod, serviceAccountToken } = setUp();
    api.createPod({ ...pod, ...change });
    expect(await authenticate(from(serviceAccountToken))).toEqual(refused(reason));
  });

  it('does not compare addresses when told not to', async () => {
    const { authenticate, serviceAccountToken } = setUp({ checkSourceAddress: false });
    const caller = { ...from(serviceAccountToken), sourceAddress: undefined };
    expect((await authenticate(caller)).outcome).toBe('authenticated');
    expect((await authenticate(from(serviceAccountToken, '192.0.2.1'))).outcome).toBe('authenticated');
  });

  it.each([
    ['kubernetes-api', new Error('no route')],
    ['kubernetes-api-queue', new KubernetesQueueError('full')],
  ])('could not check (%s) when the review fails', async (dependency, cause) => {
    const { authenticate, api, serviceAccountToken } = setUp();
    api.failWith(cause);
    expect(await authenticate(from(serviceAccountToken))).toEqual({
      outcome: 'could-not-check',
      dependency,
      cause,
    });
  });

  it.each([
    ['kubernetes-api', new Error('forbidden')],
    ['kubernetes-api-queue', new KubernetesQueueError('full')],
  ])('could not check (%s) when the pod cannot be read', async (dependency, cause) => {
    const { authenticate, serviceAccountToken } = setUp({ getPod: () => Promise.reject(cause) });
    expect(await authenticate(from(serviceAccountToken))).toEqual({
      outcome: 'could-not-check',
      dependency,
      cause,
    });
  });

  it('could not check when the reflector would refuse and the pod cannot be read [pod-uid]', async () => {
    const set = setUp({ getPod: () => Promise.reject(new Error('no route')) });
    set.reflect({ ...set.pod, uid: 'of-the-one-before' });
    expect((await set.authenticate(from(set.serviceAccountToken))).outcome).toBe('could-not-check');
  });

  it("rejects with the signal's reason when the caller has left", async () => {
    const { authenticate, serviceAccountToken } = setUp();
    const reason = new Error('client went away');
    await expect(authenticate(from(serviceAccountToken), { signal: AbortSignal.abort(reason) })).rejects.toBe(
      reason,
    );
  });

  it('does not accept an empty audience in its configuration', () => {
    expect(() => setUp({ audience: '' })).toThrow(/audience/);
  });

  it('never puts the bearer token into its answer [token-filter]', async () => {
    const { authenticate } = setUp();
    expect(JSON.stringify(await authenticate(from(new Secret('sekrit-value'))))).not.toContain(
      'sekrit-value',
    );
  });
});
