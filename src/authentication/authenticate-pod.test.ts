import { describe, expect, it } from '@jest/globals';
import { FakeClock } from '../../test/fakes/fake-clock.ts';
import { FakeKubernetesApi } from '../../test/fakes/fake-kubernetes-api.ts';
import type { Secret } from '../observability/secret.ts';
import { createPodAuthenticator, POD_NAME_EXTRA, POD_UID_EXTRA } from './authenticate-pod.ts';
import type { PodView, ReviewServiceAccountToken } from './kubernetes-access.ts';

const AUDIENCE = 'kerbridge';
const ACCOUNT = { namespace: 'team-a', serviceAccount: 'trainer' };

function setUp() {
  const clock = new FakeClock();
  const api = new FakeKubernetesApi(clock);
  const { reviewServiceAccountToken, getPod } = api;
  const authenticate = createPodAuthenticator({
    reviewServiceAccountToken,
    getPod,
    audience: AUDIENCE,
    clock,
  });
  const pod = api.createPod({ name: 'job-1', ...ACCOUNT, annotations: { 'iddecorator.username': 'alice' } });
  const serviceAccountToken = api.issueToken([AUDIENCE], ACCOUNT, pod);
  return { clock, api, authenticate, pod, serviceAccountToken };
}

const bearer = (serviceAccountToken: Secret<string>): string[] => [`Bearer ${serviceAccountToken.reveal()}`];
const refused = (reason: string) => expect.objectContaining({ outcome: 'refused', reason }) as unknown;

/** Authenticates with a review that differs in one field from that of a good token. */
async function withReview(change: Record<string, unknown>, pod: Partial<PodView> = {}) {
  const { api, clock, pod: live, serviceAccountToken } = setUp();
  const reviewServiceAccountToken: ReviewServiceAccountToken = async (...question) => {
    const good = await api.reviewServiceAccountToken(...question);
    return { ...good, ...change };
  };
  const getPod = async (namespace: string, name: string) => {
    const found = await api.getPod(namespace, name);
    return found === undefined ? undefined : { ...found, ...pod };
  };
  const authenticate = createPodAuthenticator({
    reviewServiceAccountToken,
    getPod,
    audience: AUDIENCE,
    clock,
  });
  return { result: await authenticate(bearer(serviceAccountToken)), calls: api.calls, live };
}

describe('createPodAuthenticator', () => {
  it.each([
    ['no header', [], 'no-bearer-token'],
    ['two headers', ['Bearer a', 'Bearer a'], 'several-authorization-headers'],
    ['a malformed token', ['Bearer a b'], 'bearer-token-malformed'],
  ])('refuses %s without asking anybody', async (_, authorization, reason) => {
    const { authenticate, api } = setUp();
    expect(await authenticate(authorization)).toEqual(refused(reason));
    expect(api.calls).toEqual([]);
  });

  it('refuses a token that the API server does not accept', async () => {
    const { authenticate, api } = setUp();
    expect(await authenticate(['Bearer garbage'])).toEqual(refused('service-account-token-invalid'));
    expect(api.calls).toEqual(['review for kerbridge']);
  });

  it('refuses a token for another audience', async () => {
    const { authenticate, api, pod } = setUp();
    const foreign = api.issueToken(['https://kubernetes.default.svc'], ACCOUNT, pod);
    expect(await authenticate(bearer(foreign))).toEqual(refused('service-account-token-invalid'));
  });

  it.each([
    ['none', []],
    ['another one', ['vault']],
    ['one that only begins like ours', ['kerbridge2']],
    ['one in another case', ['Kerbridge']],
  ])('refuses a yes for audience %s', async (_, audiences) => {
    const { result, calls } = await withReview({ audiences });
    expect(result).toEqual(refused('audience-not-returned'));
    expect(calls).not.toContain('get pod team-a/job-1');
  });

  it.each([
    ['a person', 'alice'],
    ['the prefix of another type', 'system:node:team-a:trainer'],
    ['another system', 'xsystem:serviceaccount:team-a:trainer'],
    ['three parts', 'system:serviceaccount:team-a'],
    ['five parts', 'system:serviceaccount:team-a:trainer:x'],
    ['an empty namespace', 'system:serviceaccount::trainer'],
    ['an empty name', 'system:serviceaccount:team-a:'],
    ['a path for a namespace', 'system:serviceaccount:../kube-system:trainer'],
    ['a namespace in upper case', 'system:serviceaccount:Team-a:trainer'],
    ['nothing', ''],
  ])('refuses %s', async (_, username) => {
    const { result, calls } = await withReview({ username });
    expect(result).toEqual(refused('not-a-service-account'));
    expect(calls).toHaveLength(1);
  });

  it.each([
    ['no extra', {}],
    ['no pod name', { [POD_UID_EXTRA]: ['u'] }],
    ['no pod UID', { [POD_NAME_EXTRA]: ['job-1'] }],
    ['two pod names', { [POD_NAME_EXTRA]: ['job-1', 'job-2'], [POD_UID_EXTRA]: ['u'] }],
    ['two pod UIDs', { [POD_NAME_EXTRA]: ['job-1'], [POD_UID_EXTRA]: ['u', 'v'] }],
    ['an empty list of pod names', { [POD_NAME_EXTRA]: [], [POD_UID_EXTRA]: ['u'] }],
    ['an empty list of pod UIDs', { [POD_NAME_EXTRA]: ['job-1'], [POD_UID_EXTRA]: [] }],
    ['an empty pod name', { [POD_NAME_EXTRA]: [''], [POD_UID_EXTRA]: ['u'] }],
    ['an empty pod UID', { [POD_NAME_EXTRA]: ['job-1'], [POD_UID_EXTRA]: [''] }],
    ['a path for a pod name', { [POD_NAME_EXTRA]: ['../job-1'], [POD_UID_EXTRA]: ['u'] }],
    ['inherited extra', { __proto__: { [POD_NAME_EXTRA]: ['job-1'], [POD_UID_EXTRA]: ['u'] } }],
  ])('refuses a token with %s', async (_, extra) => {
    const { result, calls } = await withReview({ extra });
    expect(result).toEqual(refused('not-bound-to-a-pod'));
    expect(calls).toHaveLength(1);
  });

  it('refuses the token of an account', async () => {
    const { authenticate, api } = setUp();
    expect(await authenticate(bearer(api.issueToken([AUDIENCE], ACCOUNT)))).toEqual(
      refused('not-bound-to-a-pod'),
    );
  });

  it('refuses when the pod is gone though the review still says yes', async () => {
    const { clock, api, pod, serviceAccountToken } = setUp();
    const review = await api.reviewServiceAccountToken(serviceAccountToken, [AUDIENCE]);
    api.deletePod(pod);
    const authenticate = createPodAuthenticator({
      reviewServiceAccountToken: () => Promise.resolve(review),
      getPod: api.getPod,
      audience: AUDIENCE,
      clock,
    });
    expect(await authenticate(bearer(serviceAccountToken))).toEqual(refused('pod-not-found'));
  });

  it('refuses when another pod has taken the name though the review still says yes', async () => {
    const { clock, api, pod, serviceAccountToken } = setUp();
    const review = await api.reviewServiceAccountToken(serviceAccountToken, [AUDIENCE]);
    api.createPod({ name: pod.name, ...ACCOUNT, annotations: { 'iddecorator.username': 'bob' } });
    const authenticate = createPodAuthenticator({
      reviewServiceAccountToken: () => Promise.resolve(review),
      getPod: api.getPod,
      audience: AUDIENCE,
      clock,
    });
    expect(await authenticate(bearer(serviceAccountToken))).toEqual(refused('pod-uid-differs'));
  });

  it('refuses the token of one account for a pod of another', async () => {
    const { result } = await withReview({ username: 'system:serviceaccount:team-a:other' });
    expect(result).toEqual(refused('pod-service-account-differs'));
  });

  it.each(['Succeeded', 'Failed'])('refuses a %s pod, for which the review says yes', async (phase) => {
    const { authenticate, api, pod, serviceAccountToken } = setUp();
    api.setPhase(pod, phase);
    expect((await api.reviewServiceAccountToken(serviceAccountToken, [AUDIENCE])).authenticated).toBe(true);
    expect(await authenticate(bearer(serviceAccountToken))).toEqual(refused('pod-finished'));
  });

  it.each([0, 1, 59_999])('refuses a pod %d ms after its deletionTimestamp', async (ms) => {
    const { authenticate, api, pod, clock, serviceAccountToken } = setUp();
    api.terminatePod(pod, 30_000);
    await clock.advance(30_000 + ms);
    expect((await api.reviewServiceAccountToken(serviceAccountToken, [AUDIENCE])).authenticated).toBe(true);
    expect(await authenticate(bearer(serviceAccountToken))).toEqual(refused('pod-deleted'));
  });

  it('allows a terminating pod until its deletionTimestamp', async () => {
    const { authenticate, api, pod, clock, serviceAccountToken } = setUp();
    api.terminatePod(pod, 30_000);
    await clock.advance(29_999);
    expect((await authenticate(bearer(serviceAccountToken))).outcome).toBe('authenticated');
  });

  it.each(['Pending', 'Running', 'Unknown'])('allows a %s pod and returns the live object', async (phase) => {
    const { authenticate, api, pod, serviceAccountToken } = setUp();
    api.setPhase(pod, phase);
    expect(await authenticate(bearer(serviceAccountToken))).toEqual({
      outcome: 'authenticated',
      pod: {
        namespace: 'team-a',
        name: 'job-1',
        uid: pod.uid,
        serviceAccount: 'trainer',
        annotations: { 'iddecorator.username': 'alice' },
      },
    });
    expect(api.calls).toEqual(['review for kerbridge', 'get pod team-a/job-1']);
  });

  it('could not check when the token review fails', async () => {
    const { authenticate, api, serviceAccountToken } = setUp();
    const cause = new Error('no route');
    api.failWith(cause);
    expect(await authenticate(bearer(serviceAccountToken))).toEqual({
      outcome: 'could-not-check',
      dependency: 'kubernetes-api',
      cause,
    });
  });

  it('could not check when the pod cannot be read', async () => {
    const { clock, api, serviceAccountToken } = setUp();
    const cause = new Error('forbidden');
    const authenticate = createPodAuthenticator({
      reviewServiceAccountToken: api.reviewServiceAccountToken,
      getPod: () => Promise.reject(cause),
      audience: AUDIENCE,
      clock,
    });
    expect(await authenticate(bearer(serviceAccountToken))).toEqual({
      outcome: 'could-not-check',
      dependency: 'kubernetes-api',
      cause,
    });
  });

  it("rejects with the signal's reason when the caller has left", async () => {
    const { authenticate, serviceAccountToken } = setUp();
    const reason = new Error('client went away');
    await expect(
      authenticate(bearer(serviceAccountToken), { signal: AbortSignal.abort(reason) }),
    ).rejects.toBe(reason);
  });

  it('does not accept an empty audience in its configuration', () => {
    const { api, clock } = setUp();
    const { reviewServiceAccountToken, getPod } = api;
    expect(() => createPodAuthenticator({ reviewServiceAccountToken, getPod, audience: '', clock })).toThrow(
      /audience/,
    );
  });

  it('never puts the bearer token into its answer', async () => {
    const { authenticate } = setUp();
    expect(JSON.stringify(await authenticate(['Bearer sekrit-value']))).not.toContain('sekrit-value');
  });
});
