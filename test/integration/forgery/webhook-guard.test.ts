import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ApiObject, Reply } from '../api-caller.ts';
import { ALICE, DecorateWorld, podsPath, TEAM } from '../decorate/decorate-world.ts';
import { until } from '../until.ts';
import type { PodAttempt } from './attempt.ts';
import { MARKED, UNMARKED } from './bindings.ts';
import { ALICES, type ForgeryPod, type ForgeryWorld, podSpec, STAMP, unique } from './forgery-world.ts';
import { FORGED, NOT_FORGED, TEMPLATE_STAMPED } from './stamp-immutable.ts';
import { withoutWebhooks } from './webhook-trials.ts';

/*
 * The policies stand before the webhooks. Without them it is seen what the webhooks themselves let pass, as in a cluster
 * that has none, or where an administrator has taken one away.
 */

const POLICIES = ['kerbridge-stamp-immutable', 'kerbridge-binding-without-stamp'];

let world: DecorateWorld;
let pods: Pick<ForgeryWorld, 'api' | 'createPod'>;

beforeAll(async () => {
  world = await DecorateWorld.open();
  const { api } = world;
  await api.must('/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
    method: 'POST',
    body: {
      metadata: { name: 'tenants-may-do-everything' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
      subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'Group', name: 'tenants' }],
    },
  });
  const accounts = `/api/v1/namespaces/${TEAM}/serviceaccounts`;
  await api.must(accounts, { method: 'POST', body: { metadata: { name: 'trainer' } } });
  pods = { api, createPod };
  const bindings = '/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings';
  for (const policy of POLICIES) await api.must(`${bindings}/${policy}`, { method: 'DELETE' });
  for (const [attempt] of [FORGED, MARKED])
    await until('no policy in force', async () => {
      const reply = await attempt?.run(pods);
      return reply?.body.message?.includes('ValidatingAdmissionPolicy') === false;
    });
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

/** Of alice's, and stamped by decorate; by server-side apply, of all that it then has. */
async function createPod({ nodeName, spec }: { nodeName?: string; spec?: object } = {}): Promise<ForgeryPod> {
  const name = `pod-${unique()}`;
  const path = `${podsPath()}/${name}`;
  const apply = async (metadata: object): Promise<ApiObject> => {
    const whole = podSpec({ ...(nodeName === undefined ? {} : { nodeName }), ...spec });
    const body = { apiVersion: 'v1', kind: 'Pod', metadata: { name, ...metadata }, spec: whole };
    return await world.api.must(path, { method: 'PATCH', kind: 'apply', body }, ALICE);
  };
  // What it says itself is replaced, unless nobody is asked.
  const { annotations, labels } = (await apply(ALICES)).metadata ?? {};
  const object = await apply({ annotations, labels });
  return { name, path, uid: object.metadata?.uid ?? '', object };
}

const refusalIn = ({ status, body }: Reply): object => ({ status, message: body.message });
const succeeds = async ({ run }: PodAttempt): Promise<void> => {
  const { status, body } = await run(pods);
  expect(status < 300 ? undefined : `${status} ${body.message}`).toBeUndefined();
};

it('a pod is stamped to begin with', async () => {
  const { object } = await createPod();
  expect(await world.stampOf(object)).toMatchObject({ user: 'alice' });
});

describe('decorate itself, without the policies', () => {
  it.each(FORGED)('refuses: $title', async ({ run }) => {
    expect(refusalIn(await run(pods))).toEqual({
      status: 403,
      message: expect.stringMatching(
        /"pods\.guard\.kerbridge\.dev" denied the request: (the annotation|the label) \S+ of a pod can't be changed: create the pod anew/,
      ),
    });
  });

  it.each(MARKED)('refuses in a binding, $title', async ({ run }) => {
    expect(refusalIn(await run(pods))).toEqual({
      status: 403,
      message: expect.stringMatching(
        /"pods\.guard\.kerbridge\.dev" denied the request: (the annotation|the label) \S+ does not belong into a Binding: leave it out/,
      ),
    });
  });

  it('says so in its audit, by the reason', () => {
    const lines = world.decorate?.auditLines() ?? [];
    const refused = lines.filter(({ decision }) => decision === 'refused').map(({ reason }) => reason);
    expect(new Set(refused)).toEqual(new Set(['stamp-immutable', 'stamp-in-binding']));
  });

  it.each([...NOT_FORGED, ...UNMARKED])('lets pass: $title', succeeds);

  // Only the policy minds: on a pod it says nothing to anybody.
  it.each(TEMPLATE_STAMPED)('lets pass: $title', async (attempt) => {
    const { status, body } = await attempt.run(pods);
    expect(status).toBeLessThan(300);
    expect(await world.stampOf(body)).toMatchObject({ user: 'alice' });
    expect(body.metadata?.annotations?.[STAMP]).not.toBe('of-a-template');
  });
});

describe('without the webhooks too', () => {
  beforeAll(async () => {
    await withoutWebhooks(world);
  });

  it.each([...FORGED, ...MARKED])('nothing else stops: $title', succeeds);
});
