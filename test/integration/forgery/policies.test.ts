import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Reply } from '../api-caller.ts';
import type { PolicyTable } from './attempt.ts';
import { bindings } from './bindings.ts';
import {
  ALICES,
  ForgeryWorld,
  KUBELET,
  MIRROR,
  NODE,
  podSpec,
  STAMP,
  TENANT,
  unique,
} from './forgery-world.ts';
import { until } from '../until.ts';
import { optInLabel } from './opt-in-label.ts';
import { LABELS_BY_NODE, NO_METADATA, OWN_POD, stampImmutable } from './stamp-immutable.ts';
import { stampOrigin } from './stamp-origin.ts';
import { OF_THE_PAST, OTHER_AUDIENCE, OTHER_NODE, tokenAudience } from './token-audience.ts';

const TABLES: readonly PolicyTable[] = [stampImmutable, stampOrigin, bindings, tokenAudience, optInLabel];
const POLICIES = '/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies';
const BINDINGS = '/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings';

describe('the admission policies, with no webhook there', () => {
  let world: ForgeryWorld;

  const attempt = async (table: PolicyTable): Promise<Reply> => {
    const [first] = table.refused;
    if (first === undefined) throw new Error(`nothing to refuse for ${table.policy}`);
    return await first.run(world);
  };
  const succeeds = async (table: PolicyTable): Promise<boolean> => (await attempt(table)).status < 300;

  beforeAll(async () => {
    world = await ForgeryWorld.open();
    for (const table of TABLES) {
      await until(`${table.policy} in force`, async () => !(await succeeds(table)));
    }
  });

  afterAll(async () => {
    await world[Symbol.asyncDispose]();
  });

  it.each(TABLES)('$policy: the API server finds no wrong type in its expressions', async ({ policy }) => {
    const warnings = async (): Promise<unknown> => {
      const { status } = await world.api.must(`${POLICIES}/${policy}`, { method: 'GET' });
      return (status as { typeChecking?: unknown } | undefined)?.typeChecking;
    };
    await until('its types are checked', async () => (await warnings()) !== undefined);
    expect(await warnings()).toEqual({});
  });

  describe.each(TABLES)('$policy', ({ policy, advice, refused, allowed }) => {
    it.each(refused)('refuses: $title', async ({ run }) => {
      const { status, body } = await run(world);
      expect({ status, message: body.message }).toEqual({
        status: 403,
        message: expect.stringContaining(`ValidatingAdmissionPolicy '${policy}'`),
      });
      expect(body.message).toContain('Kerbridge: ');
      expect(body.message).toContain(advice);
      // One sentence for people: what YAML folds, and what CEL puts together, leaves no gap.
      expect(body.message).not.toMatch(/ {2}|\n/);
    });

    it.each(allowed)('lets pass: $title', async ({ run }) => {
      expect(refusalOf(await run(world))).toBeUndefined();
    });
  });

  // What the comment in the component's kustomization says.
  it('the audience is another when an overlay says so', async () => {
    const target = { kind: 'ValidatingAdmissionPolicy', name: tokenAudience.policy };
    const patch = `[{"op":"replace","path":"/spec/variables/0/expression","value":"'our-hadoop'"}]`;
    const apply = async (patches: readonly object[]): Promise<void> => {
      const input = await world.render('admission-policies', patches);
      await world.kubectl.must(['apply', '--server-side', '--filename=-'], { input });
    };
    await apply([{ target, patch }]);
    await until('ours is that of nobody', () => succeeds(tokenAudience));
    const { status, body } = await OTHER_AUDIENCE.run(world);
    expect(status).toBe(403);
    expect(body.message).toContain('audience "our-hadoop"');
    await apply([]);
    await until('ours is ours again', async () => !(await succeeds(tokenAudience)));
  });

  describe('beside them, the API server itself', () => {
    it.each(NO_METADATA)('takes no metadata through pods/$subresource', async ({ subresource, body }) => {
      const { path } = await world.createPod();
      const annotations = { [STAMP]: 'stamp-of-bob' };
      const whole = { ...body, metadata: { annotations, labels: { app: 'changed' } } };
      const patch = { method: 'PATCH', kind: 'strategic', body: whole } as const;
      await world.api.call(`${path}/${subresource}`, patch, TENANT);
      const { metadata } = await world.api.must(path, { method: 'GET' });
      expect(metadata).toMatchObject(ALICES);
    });

    it('gives no token for a pod to the node that it is not on', async () => {
      const { status, body } = await OTHER_NODE.run(world);
      expect(status).toBe(403);
      expect(body.message).not.toContain('ValidatingAdmissionPolicy');
    });

    it.each(LABELS_BY_NODE)('takes no label of a node: $title', async ({ run }) => {
      const { status, body } = await run(world);
      expect({ status, message: body.message }).toEqual({
        status: 403,
        message: expect.stringMatching(/node "worker-1" cannot update labels through pod status/),
      });
    });

    it.each(OWN_POD)('lets a node write no pod as a whole: $title', async ({ run }) => {
      const { status, body } = await run(world);
      expect({ status, message: body.message }).toEqual({
        status: 403,
        message: expect.stringMatching(/User "system:node:worker-1" cannot (update|patch) resource "pods"/),
      });
    });

    it.each(OF_THE_PAST)('is not even asked for a token $title', async ({ run }) => {
      const { status, body } = await run(world);
      expect(status).toBe(403);
      expect(body.message).toContain(`ValidatingAdmissionPolicy '${tokenAudience.policy}'`);
    });

    it('lets a node make no pod but mirror pods', async () => {
      const body = { metadata: { name: `pod-${unique()}` }, spec: podSpec({ nodeName: NODE }) };
      const path = `/api/v1/namespaces/${ForgeryWorld.TEAM}/pods`;
      const { status } = await world.api.call(path, { method: 'POST', body }, KUBELET);
      expect(status).toBe(403);
    });

    // Why nobody needs to be kept from mirror pods: without an account there is no token, so nobody to speak for.
    it('gives a mirror pod no service account, whoever makes it', async () => {
      const metadata = { name: `pod-${unique()}`, annotations: { [MIRROR]: 'x' } };
      const path = `/api/v1/namespaces/${ForgeryWorld.TEAM}/pods`;
      const make = (spec: object): Promise<Reply> =>
        world.api.call(path, { method: 'POST', body: { metadata, spec } }, TENANT);
      const refused = await make(podSpec({ nodeName: NODE }));
      expect(refused.status).toBe(403);
      expect(refused.body.message).toContain('a mirror pod may not reference service accounts');
      const made = await make({ ...podSpec({ nodeName: NODE }), serviceAccountName: undefined });
      expect(made.status).toBe(201);
      expect(JSON.stringify(made.body)).not.toContain('serviceAccount');
    });
  });

  // Last: they are gone after it.
  describe.each(TABLES)('without $policy', ({ policy, refused, forged, ...table }) => {
    beforeAll(async () => {
      await world.api.must(`${BINDINGS}/${policy}`, { method: 'DELETE' });
      await until(`${policy} out of force`, () => succeeds({ policy, refused, forged, ...table }));
    });

    it.each(refused)('nothing else stops: $title', async ({ run }) => {
      const reply = await run(world);
      expect(refusalOf(reply)).toBeUndefined();
      expect(forged(reply.body)).toBe(true);
    });
  });

  it.each(OF_THE_PAST)(
    'without any, the API server itself gives no token $title',
    async ({ run, itself, ...expected }) => {
      const { status, body } = await run(world);
      expect({ status, message: body.message }).toEqual({
        status: expected.status,
        message: expect.stringMatching(itself),
      });
    },
  );
});

/** Of anybody; undefined when the API server did what was asked. */
function refusalOf({ status, body }: Reply): string | undefined {
  return status < 300 ? undefined : `${status} ${body.message ?? ''}`;
}
