import { describe, expect, it } from '@jest/globals';
import {
  reasonOf,
  stampOf,
  withImage,
  withMetadata,
  withTemplateAnnotations,
} from '../../test/fakes/decorator-edits.ts';
import {
  ANNOTATION,
  CONTROLLER,
  DecoratorWorld,
  madeBy,
  templateAnnotations,
  workload,
} from '../../test/fakes/decorator-world.ts';
import { publicKeysOf } from '../identity/stamps/stamp-keys.ts';
import { readTemplateStamp } from '../identity/stamps/template-stamp.ts';
import { TEMPLATE_STAMP_ANNOTATION } from '../identity/stamps/stamp-annotations.ts';
import { CLAIM_ANNOTATION } from './decorator-parts.ts';
import type { JsonObject } from './look-ups.ts';
import { annotationsOf } from './object-metadata.ts';
import { childOf } from './patch/json-value.ts';

describe('a change of a workload', () => {
  async function alicesDeployment(by = 'alice') {
    const world = new DecoratorWorld();
    const { stored } = await world.create(workload('Deployment', 'web'), { by });
    return { world, before: templateAnnotations(stored) };
  }

  it.each<readonly [string, string, (object: JsonObject) => JsonObject]>([
    ['a label', 'bob', withMetadata({ labels: { touched: 'yes' } })],
    ['a label, by a controller', CONTROLLER, withMetadata({ labels: { touched: 'yes' } })],
    ['a label, by who is nobody', 'system:node:x', withMetadata({ labels: { touched: 'yes' } })],
    [
      'the stamp',
      'bob',
      withTemplateAnnotations((before) => ({ ...before, [TEMPLATE_STAMP_ANNOTATION]: 'x' })),
    ],
    ['the user', 'bob', withTemplateAnnotations((before) => ({ ...before, [ANNOTATION]: 'bob' }))],
    ['all annotations (PUT without them)', 'bob', withTemplateAnnotations(() => ({}))],
    [
      'the number of replicas',
      'bob',
      (object) => ({ ...object, spec: { ...(object['spec'] as JsonObject), replicas: 7 } }),
    ],
  ])('that touches %s leaves stamp and user as they are', async (_, by, edit) => {
    const { world, before } = await alicesDeployment();
    const { stored } = await world.update('Deployment', 'web', edit, { by });
    expect(templateAnnotations(stored)).toEqual(before);
  });

  it('such as a rollout restart is nobody’s claim', async () => {
    const { world, before } = await alicesDeployment();
    const restart = withTemplateAnnotations((annotations) => ({
      ...annotations,
      'kubectl.kubernetes.io/restartedAt': 'now',
    }));
    const { stored } = await world.update('Deployment', 'web', restart, { by: 'bob' });
    expect(templateAnnotations(stored)).toEqual({ ...before, 'kubectl.kubernetes.io/restartedAt': 'now' });
  });

  it.each([
    ['by its user', 'alice', 'alice'],
    ['by a delegate in their name', 'hub', 'alice'],
  ])('of the image %s is stamped anew', async (_, by, user) => {
    const { world, before } = await alicesDeployment();
    const { stored } = await world.update('Deployment', 'web', withImage('trainer:2'), { by });
    expect(templateAnnotations(stored)[ANNOTATION]).toBe(user);
    expect(templateAnnotations(stored)[TEMPLATE_STAMP_ANNOTATION]).not.toBe(
      before[TEMPLATE_STAMP_ANNOTATION],
    );
    const made = await world.create(madeBy(stored ?? {}, { kind: 'Pod', name: 'p' }), { by: CONTROLLER });
    expect(stampOf(world, made.stored)).toMatchObject({ user });
  });

  it.each([
    ['bob', 'template-of-another'],
    ['system:node:x', 'template-of-another'],
  ])('of the image by %s is refused [template-of-another]', async (by, reason) => {
    const { world } = await alicesDeployment();
    const outcome = await world.update('Deployment', 'web', withImage('evil:1'), { by });
    expect(reasonOf(outcome)).toBe(reason);
    expect(outcome.decision).toMatchObject({ text: expect.stringContaining(CLAIM_ANNOTATION) });
  });

  it('of the image can be claimed, once [template-of-another]', async () => {
    const { world } = await alicesDeployment();
    const claim = (object: JsonObject): JsonObject =>
      withMetadata({ annotations: { [CLAIM_ANNOTATION]: 'bob' } })(withImage('mine:1')(object));
    const { stored } = await world.update('Deployment', 'web', claim, { by: 'bob' });
    expect(templateAnnotations(stored)[ANNOTATION]).toBe('bob');
    expect(annotationsOf(stored)).toEqual({});
    expect(reasonOf(await world.update('Deployment', 'web', withImage('evil:2'), { by: 'alice' }))).toBe(
      'template-of-another',
    );
  });

  it('can’t be claimed for somebody else [claim-of-oneself]', async () => {
    const { world } = await alicesDeployment();
    const claim = (object: JsonObject): JsonObject =>
      withMetadata({ annotations: { [CLAIM_ANNOTATION]: 'carol' } })(withImage('mine:1')(object));
    expect(reasonOf(await world.update('Deployment', 'web', claim, { by: 'bob' }))).toBe('claim-of-another');
  });

  it('keeps the user for who may do that', async () => {
    const { world } = await alicesDeployment();
    world.keepers.add('bob');
    const { stored } = await world.update('Deployment', 'web', withImage('trainer:2'), { by: 'bob' });
    expect(templateAnnotations(stored)[ANNOTATION]).toBe('alice');
    const text = templateAnnotations(stored)[TEMPLATE_STAMP_ANNOTATION] ?? '';
    expect(readTemplateStamp(text, publicKeysOf({ keys: [world.keys.signing] }))).toMatchObject({
      stamp: { user: 'alice', requester: 'bob' },
    });
  });

  it('by an account that did not prove itself is refused, whatever the account may do [keeper-account-proven]', async () => {
    const { world } = await alicesDeployment();
    const ci = 'system:serviceaccount:team-a:ci';
    const impersonated = new DecoratorWorld({
      readObject: world.parts.readObject,
      keys: world.parts.keys,
      mayKeepIdentity: () => Promise.resolve(true),
      mapRequester: async (question) =>
        question.requester.username === ci
          ? { outcome: 'refused', reason: 'service-account-unproven', text: 'show a token' }
          : await world.parts.mapRequester(question),
    });
    for (const [key, object] of world.objects) impersonated.objects.set(key, object);
    const change = async (by: string) =>
      reasonOf(await impersonated.update('Deployment', 'web', withImage('x:1'), { by }));
    expect(await change(ci)).toBe('service-account-unproven');
    expect(await change('bob')).toBe('allowed');
  });

  describe('to a template that somebody else wrote, as of a history', () => {
    const bringing = async (
      world: DecoratorWorld,
      change: (object: JsonObject) => JsonObject = (same) => same,
    ) => {
      const { stored = {} } = await world.create(workload('ReplicaSet', 'web-1', 'bobs:1'), { by: 'bob' });
      const template = childOf(childOf(stored, 'spec'), 'template');
      return (object: JsonObject): JsonObject =>
        change({ ...object, spec: { ...(object['spec'] as JsonObject), template } });
    };

    it('is refused, also to who may keep the user [brought-template-own]', async () => {
      const { world } = await alicesDeployment();
      const undo = await bringing(world);
      expect(reasonOf(await world.update('Deployment', 'web', undo, { by: 'alice' }))).toBe(
        'template-from-another',
      );
      world.keepers.add('carol');
      expect(reasonOf(await world.update('Deployment', 'web', undo, { by: 'carol' }))).toBe(
        'template-from-another',
      );
    });

    it('is theirs who claims it, or takes the stamp off', async () => {
      const { world } = await alicesDeployment();
      const claim = await bringing(world, withMetadata({ annotations: { [CLAIM_ANNOTATION]: 'alice' } }));
      const { stored } = await world.update('Deployment', 'web', claim, { by: 'alice' });
      expect(templateAnnotations(stored)[ANNOTATION]).toBe('alice');
      await world.update('Deployment', 'web', withImage('trainer:2'), { by: 'alice' });
      const bare = await bringing(
        world,
        withTemplateAnnotations(() => ({})),
      );
      expect(reasonOf(await world.update('Deployment', 'web', bare, { by: 'alice' }))).toBe('allowed');
    });

    it('is their own who wrote it', async () => {
      const world = new DecoratorWorld();
      await world.create(workload('Deployment', 'web'), { by: 'bob' });
      const undo = await bringing(world);
      const { stored } = await world.update('Deployment', 'web', undo, { by: 'bob' });
      expect(templateAnnotations(stored)[ANNOTATION]).toBe('bob');
    });
  });

  it('is refused while it is not known who may keep the user', async () => {
    const world = new DecoratorWorld({ mayKeepIdentity: () => Promise.reject(new Error('away')) });
    await world.create(workload('Deployment', 'web'), { by: 'alice' });
    expect(reasonOf(await world.update('Deployment', 'web', withImage('x:1'), { by: 'bob' }))).toBe(
      'kubernetes-api',
    );
  });

  it('does not make good what was changed behind our back [template-stamp-digest]', async () => {
    const { world } = await alicesDeployment();
    await world.update('Deployment', 'web', withImage('evil:1'), { by: 'bob', bypass: true });
    const { stored } = await world.update('Deployment', 'web', withMetadata({ labels: { scaled: 'yes' } }), {
      by: 'alice',
    });
    expect(
      reasonOf(await world.create(madeBy(stored ?? {}, { kind: 'Pod', name: 'p' }), { by: CONTROLLER })),
    ).toBe('template-changed');
  });

  it('of a template of nobody leaves it to nobody, until its content changes or somebody claims it', async () => {
    const world = new DecoratorWorld();
    await world.create(workload('Deployment', 'web'), { by: 'alice', bypass: true });
    const touched = await world.update('Deployment', 'web', withMetadata({ labels: { a: 'b' } }), {
      by: 'bob',
    });
    expect(templateAnnotations(touched.stored)).toEqual({});
    const claimed = await world.update(
      'Deployment',
      'web',
      withMetadata({ annotations: { [CLAIM_ANNOTATION]: 'bob' } }),
      { by: 'bob' },
    );
    expect(templateAnnotations(claimed.stored)[ANNOTATION]).toBe('bob');
  });

  it.each([
    ['made by nobody', true],
    ['changed behind our back', false],
  ])('by a controller makes nothing good that was %s', async (_, bypass) => {
    const world = new DecoratorWorld();
    await world.create(workload('Deployment', 'web'), { by: 'alice', bypass });
    if (!bypass) await world.update('Deployment', 'web', withImage('evil:1'), { by: 'bob', bypass: true });
    const { stored } = await world.update('Deployment', 'web', withImage('evil:1-pinned'), {
      by: CONTROLLER,
    });
    expect(templateAnnotations(stored)).toEqual({});
  });

  describe('by a controller, of a template with the stamp of another object', () => {
    /** Alice's content and stamp, copied to a Job of that owner while the webhooks were away. */
    async function copied(ownerReferences: (deployment: JsonObject) => readonly unknown[]) {
      const world = new DecoratorWorld();
      const { stored = {} } = await world.create(workload('Deployment', 'web'), { by: 'alice' });
      const copy = withMetadata({ ownerReferences: ownerReferences(stored) })(
        madeBy(stored, { kind: 'Job', name: 'copy' }),
      );
      await world.create(copy, { by: 'bob', bypass: true });
      return world;
    }
    const change = async (world: DecoratorWorld) =>
      await world.update('Job', 'copy', withImage('trainer:1-pinned'), { by: CONTROLLER });
    const referenceTo = (owner: JsonObject, other: object = {}) => {
      const { ownerReferences } = madeBy(owner, { kind: 'Job', name: 'x' })['metadata'] as {
        readonly ownerReferences: readonly JsonObject[];
      };
      return [{ ...ownerReferences[0], ...other }];
    };

    it.each<[string, string, (owner: JsonObject) => readonly unknown[]]>([
      ['which does not own it', 'template-stamp-names-owner', () => []],
      [
        'which is not the one that owned it',
        'owner-uid',
        (owner) => referenceTo(owner, { uid: 'uid-of-the-old-one' }),
      ],
    ])('%s: speaks for nobody [%s] [changed-template-names-object]', async (_, _check, references) => {
      const { stored } = await change(await copied(references));
      expect(stored).toBeDefined();
      expect(templateAnnotations(stored)).toEqual({});
    });

    it('which owns it: keeps the user', async () => {
      const { stored } = await change(await copied((owner) => referenceTo(owner)));
      expect(templateAnnotations(stored)[ANNOTATION]).toBe('alice');
    });

    it('waits for the API server', async () => {
      const world = await copied((owner) => referenceTo(owner));
      world.isApiServerDown = true;
      expect(reasonOf(await change(world))).toBe('kubernetes-api');
    });
  });
});

describe('a workload with several templates', () => {
  const gang = (members: Record<string, string>): JsonObject => ({
    apiVersion: 'example.com/v1',
    kind: 'Gang',
    metadata: { name: 'g' },
    spec: {
      members: Object.fromEntries(
        Object.entries(members).map(([member, image]) => [member, { spec: { image } }]),
      ),
    },
  });
  const memberOf = (object: JsonObject | undefined, member: string): Readonly<Record<string, string>> =>
    annotationsOf(childOf(childOf(childOf(object, 'spec'), 'members'), member));

  it('has a stamp for each', async () => {
    const { stored } = await new DecoratorWorld().create(gang({ 'a/b': 'x', 'c~d': 'y' }), { by: 'alice' });
    expect(memberOf(stored, 'a/b')[ANNOTATION]).toBe('alice');
    expect(memberOf(stored, 'c~d')[TEMPLATE_STAMP_ANNOTATION]).not.toBe(
      memberOf(stored, 'a/b')[TEMPLATE_STAMP_ANNOTATION],
    );
  });

  it('lets somebody else add one of their own, and not change one [template-of-another]', async () => {
    const world = new DecoratorWorld();
    await world.create(gang({ a: 'x' }), { by: 'alice' });
    const add = (object: JsonObject): JsonObject => {
      const { members } = object['spec'] as JsonObject;
      return { ...object, spec: { members: { ...(members as JsonObject), b: { spec: { image: 'bobs' } } } } };
    };
    const { stored } = await world.update('Gang', 'g', add, { by: 'bob' });
    expect(memberOf(stored, 'a')[ANNOTATION]).toBe('alice');
    expect(memberOf(stored, 'b')[ANNOTATION]).toBe('bob');
    const change = (object: JsonObject): JsonObject => {
      const { members } = object['spec'] as JsonObject;
      return {
        ...object,
        spec: {
          members: {
            ...(members as JsonObject),
            a: { ...((members as JsonObject)['a'] as JsonObject), spec: { image: 'evil' } },
          },
        },
      };
    };
    expect(reasonOf(await world.update('Gang', 'g', change, { by: 'bob' }))).toBe('template-of-another');
  });
});
