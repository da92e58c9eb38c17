import { describe, expect, it } from '@jest/globals';
import {
  ANNOTATION,
  CONTROLLER,
  DecoratorWorld,
  madeBy,
  NAMESPACE,
  pod,
  templateAnnotations,
  workload,
} from '../../test/fakes/decorator-world.ts';
import { verifyPodStamp } from '../identity/stamps/pod-stamp.ts';
import { publicKeysOf, newSigningKey } from '../identity/stamps/stamp-keys.ts';
import { signTemplateStamp, readTemplateStamp } from '../identity/stamps/template-stamp.ts';
import {
  POD_STAMP_ANNOTATION,
  STAMPED_LABEL,
  TEMPLATE_STAMP_ANNOTATION,
} from '../identity/stamps/stamp-annotations.ts';
import { CLAIM_ANNOTATION } from './decorator-parts.ts';
import type { JsonObject } from './look-ups.ts';
import { annotationsOf, labelsOf, metadataText } from './object-metadata.ts';
import { childOf } from './patch/json-value.ts';
import type { Outcome } from '../../test/fakes/decorator-world.ts';

function stampOf(world: DecoratorWorld, object: JsonObject | undefined) {
  const text = annotationsOf(object)[POD_STAMP_ANNOTATION] ?? '';
  const opened = verifyPodStamp(text, publicKeysOf({ keys: [world.keys.signing] }));
  return opened.outcome === 'valid' ? opened.stamp : opened.reason;
}

function reasonOf({ decision }: Outcome): string {
  if (decision.outcome === 'allowed') return 'allowed';
  return decision.outcome === 'refused' ? decision.reason : decision.dependency;
}

const withImage =
  (image: string) =>
  (object: JsonObject): JsonObject => {
    const [group] = [workload(String(object['kind']), String(metadataText(object, 'name')), image)];
    const spec = object['spec'] as JsonObject;
    const template = spec['template'] as JsonObject;
    const fresh = (group['spec'] as JsonObject)['template'] as JsonObject;
    return { ...object, spec: { ...spec, template: { ...template, spec: fresh['spec'] } } };
  };

const withMetadata =
  (change: Record<string, unknown>) =>
  (object: JsonObject): JsonObject => ({
    ...object,
    metadata: { ...(object['metadata'] as JsonObject), ...change },
  });

const withTemplateAnnotations =
  (change: (before: Readonly<Record<string, string>>) => Record<string, unknown>) =>
  (object: JsonObject): JsonObject => {
    const spec = object['spec'] as JsonObject;
    const template = spec['template'] as JsonObject;
    const annotations = change(templateAnnotations(object));
    return { ...object, spec: { ...spec, template: { ...template, metadata: { annotations } } } };
  };

describe('a pod', () => {
  it('speaks for who makes it', async () => {
    const world = new DecoratorWorld();
    const { stored } = await world.create(pod('train'), { by: 'alice' });
    expect(annotationsOf(stored)[ANNOTATION]).toBe('alice');
    expect(labelsOf(stored)[STAMPED_LABEL]).toBe('true');
    expect(stampOf(world, stored)).toEqual({
      namespace: NAMESPACE,
      podName: 'train',
      user: 'alice',
      requester: 'alice',
      issuedAtSeconds: Math.floor(world.clock.now() / 1_000),
    });
  });

  it('gets its name here if it has none', async () => {
    const world = new DecoratorWorld();
    const base = 'y'.repeat(60);
    const { stored } = await world.create({ ...pod('x'), metadata: { generateName: base } }, { by: 'alice' });
    expect(metadataText(stored, 'name')).toBe(`${'y'.repeat(53)}${'x'.repeat(10)}`);
    expect(stampOf(world, stored)).toMatchObject({ podName: metadataText(stored, 'name') });
  });

  it('is refused with neither', async () => {
    expect(reasonOf(await new DecoratorWorld().create({ ...pod('x'), metadata: {} }, { by: 'alice' }))).toBe(
      'no-name',
    );
  });

  it('does not say whom it speaks for, and the person is told', async () => {
    const world = new DecoratorWorld();
    const { stored, decision } = await world.create(pod('train', { annotations: { [ANNOTATION]: 'bob' } }), {
      by: 'alice',
    });
    expect(annotationsOf(stored)[ANNOTATION]).toBe('alice');
    expect(decision).toMatchObject({ warnings: [expect.stringContaining('"bob"')] });
  });

  it('speaks for whom a delegate names', async () => {
    const world = new DecoratorWorld();
    const { stored } = await world.create(pod('train', { annotations: { [ANNOTATION]: 'carol' } }), {
      by: 'hub',
    });
    expect(stampOf(world, stored)).toMatchObject({ user: 'carol', requester: 'hub' });
  });

  it('gets a stamp of its own where one was copied', async () => {
    const world = new DecoratorWorld();
    const { stored: alices } = await world.create(pod('train'), { by: 'alice' });
    const metadata = { ...(alices?.['metadata'] as JsonObject), uid: undefined, name: 'copy' };
    const { stored } = await world.create({ ...pod('copy'), metadata }, { by: 'bob' });
    expect(stampOf(world, stored)).toMatchObject({ podName: 'copy', user: 'bob' });
  });

  it('keeps the stamp when ours runs again, and gets a new one when it is old', async () => {
    const world = new DecoratorWorld();
    const { stored: first } = await world.create(pod('train'), { by: 'alice' });
    const text = annotationsOf(first)[POD_STAMP_ANNOTATION];
    const again = async () =>
      annotationsOf((await world.create(first ?? {}, { by: 'alice' })).stored)[POD_STAMP_ANNOTATION];
    await world.clock.advance(20_000);
    expect(await again()).toBe(text);
    await world.clock.advance(1_000);
    expect(await again()).not.toBe(text);
  });

  it.each<readonly [string, string, (object: JsonObject) => JsonObject]>([
    ['user', 'allowed', withMetadata({ annotations: { [ANNOTATION]: 'bob' } })],
    ['labels', 'allowed', withMetadata({ labels: {} })],
    ['annotations', 'allowed', withMetadata({ annotations: {} })],
  ])('is stamped anew after another webhook has taken its %s', async (_, reason, mutator) => {
    const world = new DecoratorWorld();
    const outcome = await world.create(pod('train'), { by: 'alice', mutator });
    expect(reasonOf(outcome)).toBe(reason);
    expect(stampOf(world, outcome.stored)).toMatchObject({ user: 'alice' });
  });

  it.each([
    ['system:node:worker-1', 'system-requester'],
    ['system:serviceaccount:kube-system:other-controller', 'system-requester'],
  ])('of %s is refused', async (by, reason) => {
    expect(reasonOf(await new DecoratorWorld().create(pod('train'), { by }))).toBe(reason);
  });

  it('is refused while there are no keys', async () => {
    const world = new DecoratorWorld();
    world.hasKeys = false;
    expect(reasonOf(await world.create(pod('train'), { by: 'alice' }))).toBe('signing-keys');
  });

  it('is refused if its annotations are no map', async () => {
    expect(
      reasonOf(await new DecoratorWorld().create(pod('train', { annotations: ['x'] }), { by: 'alice' })),
    ).toBe('object-malformed');
  });
});

describe('a workload', () => {
  it.each(['Deployment', 'StatefulSet', 'DaemonSet', 'Job'])(
    'of kind %s makes pods that speak for who wrote it',
    async (kind) => {
      const world = new DecoratorWorld();
      const { stored: owner } = await world.create(workload(kind, 'web'), { by: 'alice' });
      expect(templateAnnotations(owner)[ANNOTATION]).toBe('alice');
      expect(annotationsOf(owner)).toEqual({});
      const { stored } = await world.create(madeBy(owner ?? {}, { kind: 'Pod', name: 'web-1' }), {
        by: CONTROLLER,
      });
      expect(stampOf(world, stored)).toMatchObject({
        user: 'alice',
        requester: CONTROLLER,
        podName: 'web-1',
      });
    },
  );

  it('hands its stamp to the ReplicaSet as it is, and that to pods', async () => {
    const world = new DecoratorWorld();
    const { stored: deployment } = await world.create(workload('Deployment', 'web'), { by: 'alice' });
    const { stored: set } = await world.create(
      madeBy(deployment ?? {}, { kind: 'ReplicaSet', name: 'web-1' }),
      { by: CONTROLLER },
    );
    expect(templateAnnotations(set)).toEqual(templateAnnotations(deployment));
    const { stored } = await world.create(madeBy(set ?? {}, { kind: 'Pod', name: 'web-1-a' }), {
      by: CONTROLLER,
    });
    expect(stampOf(world, stored)).toMatchObject({ user: 'alice' });
  });

  it('hands a stamp of its own to what a controller makes otherwise of it', async () => {
    const world = new DecoratorWorld();
    const { stored: owner } = await world.create(workload('Job', 'launcher'), { by: 'alice' });
    const child = withImage('trainer:1-with-sidecar')(madeBy(owner ?? {}, { kind: 'Job', name: 'child' }));
    const { stored } = await world.create(child, { by: CONTROLLER });
    const text = templateAnnotations(stored)[TEMPLATE_STAMP_ANNOTATION] ?? '';
    expect(readTemplateStamp(text, publicKeysOf({ keys: [world.keys.signing] }))).toMatchObject({
      outcome: 'valid',
      stamp: { kind: 'batch/Job', name: 'child', user: 'alice', requester: 'alice' },
    });
    const { stored: made } = await world.create(madeBy(stored ?? {}, { kind: 'Pod', name: 'p' }), {
      by: CONTROLLER,
    });
    expect(stampOf(world, made)).toMatchObject({ user: 'alice' });
  });

  describe('that an operator makes without saying that its owner manages it', () => {
    const loose = (made: JsonObject): JsonObject => {
      const { ownerReferences } = made['metadata'] as { ownerReferences: readonly JsonObject[] };
      return withMetadata({
        ownerReferences: ownerReferences.map((reference) => ({ ...reference, controller: false })),
      })(made);
    };

    it('keeps the stamp of its owner if it is the same, and so do its pods', async () => {
      const world = new DecoratorWorld();
      const { stored: owner } = await world.create(workload('StatefulSet', 'plan'), { by: 'alice' });
      const { stored } = await world.create(loose(madeBy(owner ?? {}, { kind: 'Job', name: 'run' })), {
        by: CONTROLLER,
      });
      expect(templateAnnotations(stored)).toEqual(templateAnnotations(owner));
      const { stored: made } = await world.create(madeBy(stored ?? {}, { kind: 'Pod', name: 'p' }), {
        by: CONTROLLER,
      });
      expect(stampOf(world, made)).toMatchObject({ user: 'alice' });
    });

    it('is nobody’s if it is not: the reference may be a tenant’s', async () => {
      const world = new DecoratorWorld();
      const { stored: owner } = await world.create(workload('StatefulSet', 'plan'), { by: 'alice' });
      const forged = withImage('evil:1')(loose(madeBy(owner ?? {}, { kind: 'Job', name: 'run' })));
      const { stored } = await world.create(forged, { by: CONTROLLER });
      expect(templateAnnotations(stored)).toEqual({});
    });
  });

  it('of somebody with a name longer than a stamp can hold is refused', async () => {
    expect(reasonOf(await new DecoratorWorld().create(pod('p'), { by: 'x'.repeat(513) }))).toBe(
      'requester-too-long',
    );
  });

  it('that nobody stamped makes pods that speak for nobody, whatever they say', async () => {
    const world = new DecoratorWorld();
    const { stored: owner } = await world.create(workload('Deployment', 'old'), {
      by: 'alice',
      bypass: true,
    });
    const made = withMetadata({
      ...(madeBy(owner ?? {}, { kind: 'Pod', name: 'old-1' })['metadata'] as JsonObject),
      annotations: { [ANNOTATION]: 'alice', [POD_STAMP_ANNOTATION]: 'x' },
      labels: { [STAMPED_LABEL]: 'true', app: 'old' },
    })(pod('old-1'));
    const { stored } = await world.create(made, { by: CONTROLLER });
    expect(annotationsOf(stored)).toEqual({});
    expect(labelsOf(stored)).toEqual({ app: 'old' });
  });

  it.each<readonly [string, (object: JsonObject) => JsonObject]>([
    ['no owner', withMetadata({ ownerReferences: [] })],
    [
      'an owner that does not manage it',
      withMetadata({
        ownerReferences: [{ apiVersion: 'apps/v1', kind: 'Deployment', name: 'web', uid: 'uid-1' }],
      }),
    ],
    [
      'an owner of a kind without templates',
      withMetadata({
        ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: 'p', uid: 'uid-2', controller: true }],
      }),
    ],
  ])('of a controller with %s: speaks for nobody', async (_, edit) => {
    const world = new DecoratorWorld();
    await world.create(workload('Deployment', 'web'), { by: 'alice' });
    await world.create(pod('p'), { by: 'alice' });
    const { stored } = await world.create(edit(pod('web-1')), { by: CONTROLLER });
    expect(annotationsOf(stored)).toEqual({});
  });

  const reference =
    (change: Record<string, unknown>) =>
    (object: JsonObject): JsonObject =>
      withMetadata({
        ownerReferences: [
          {
            apiVersion: 'apps/v1',
            kind: 'Deployment',
            name: 'web',
            uid: 'uid-1',
            controller: true,
            ...change,
          },
        ],
      })(object);

  it.each<
    readonly [string, string, (world: DecoratorWorld, made: JsonObject) => Promise<JsonObject> | JsonObject]
  >([
    ['whose owner does not exist', 'owner-not-found', (_, made) => reference({ name: 'gone' })(made)],
    [
      'whose owner was made anew',
      'owner-uid-differs',
      (_, made) => reference({ uid: 'uid-of-the-old-one' })(made),
    ],
    [
      'with the stamp of another template',
      'template-stamp-differs',
      async (world, made) => {
        const { stored } = await world.create(workload('Deployment', 'bobs'), { by: 'bob' });
        return {
          ...made,
          metadata: { ...(made['metadata'] as JsonObject), annotations: templateAnnotations(stored) },
        };
      },
    ],
    [
      'whose owner was changed behind our back',
      'template-changed',
      async (world, made) => {
        await world.update('Deployment', 'web', withImage('evil:1'), { by: 'bob', bypass: true });
        return made;
      },
    ],
    [
      'whose owner has a stamp of another key',
      'template-stamp-unknown-key',
      async (world, made) => {
        const stamp = {
          namespace: NAMESPACE,
          kind: 'apps/Deployment',
          name: 'web',
          user: 'root',
          requester: 'root',
          digest: 'A'.repeat(43),
        };
        const text = signTemplateStamp(stamp, newSigningKey());
        await world.update(
          'Deployment',
          'web',
          withTemplateAnnotations(() => ({ [TEMPLATE_STAMP_ANNOTATION]: text })),
          { by: 'bob', bypass: true },
        );
        return withMetadata({ annotations: { [TEMPLATE_STAMP_ANNOTATION]: text } })({
          ...made,
          metadata: made['metadata'],
        });
      },
    ],
    [
      'whose owner has a stamp of another namespace',
      'template-stamp-of-other-namespace',
      async (world, made) => {
        const stamp = {
          namespace: 'team-b',
          kind: 'apps/Deployment',
          name: 'web',
          user: 'alice',
          requester: 'alice',
          digest: 'A'.repeat(43),
        };
        const text = signTemplateStamp(stamp, world.keys.signing);
        await world.update(
          'Deployment',
          'web',
          withTemplateAnnotations(() => ({ [TEMPLATE_STAMP_ANNOTATION]: text })),
          { by: 'bob', bypass: true },
        );
        return withMetadata({ annotations: { [TEMPLATE_STAMP_ANNOTATION]: text } })({
          ...made,
          metadata: made['metadata'],
        });
      },
    ],
    [
      'whose owner has a pod stamp for a template stamp',
      'template-stamp-other-type',
      async (world, made) => {
        const { stored } = await world.create(pod('alices'), { by: 'alice' });
        const text = annotationsOf(stored)[POD_STAMP_ANNOTATION] ?? '';
        await world.update(
          'Deployment',
          'web',
          withTemplateAnnotations(() => ({ [TEMPLATE_STAMP_ANNOTATION]: text })),
          { by: 'bob', bypass: true },
        );
        return withMetadata({ annotations: { [TEMPLATE_STAMP_ANNOTATION]: text } })({
          ...made,
          metadata: made['metadata'],
        });
      },
    ],
  ])('a controller’s pod %s is refused', async (_, reason, edit) => {
    const world = new DecoratorWorld();
    const { stored: owner } = await world.create(workload('Deployment', 'web'), { by: 'alice' });
    const edited = await edit(world, madeBy(owner ?? {}, { kind: 'Pod', name: 'web-1' }));
    const made =
      reason.startsWith('template-stamp-unknown') || reason.includes('namespace') || reason.includes('type')
        ? withOwner(owner, edited)
        : edited;
    expect(reasonOf(await world.create(made, { by: CONTROLLER }))).toBe(reason);
  });

  function withOwner(owner: JsonObject | undefined, made: JsonObject): JsonObject {
    const { ownerReferences } = madeBy(owner ?? {}, { kind: 'Pod', name: 'web-1' })['metadata'] as JsonObject;
    return withMetadata({ ownerReferences })(made);
  }

  it('whose stamp belongs to a Deployment that does not own it makes no pods', async () => {
    const world = new DecoratorWorld();
    const { stored: deployment } = await world.create(workload('Deployment', 'web'), { by: 'alice' });
    // As an orphan that somebody else's Deployment has adopted.
    const { stored: bobs } = await world.create(workload('Deployment', 'bobs'), { by: 'bob' });
    const { ownerReferences } = madeBy(bobs ?? {}, { kind: 'ReplicaSet', name: 'web-1' })[
      'metadata'
    ] as JsonObject;
    const orphan = withMetadata({ ownerReferences })(
      madeBy(deployment ?? {}, { kind: 'ReplicaSet', name: 'web-1' }),
    );
    const { stored: set } = await world.create(orphan, { by: CONTROLLER, bypass: true });
    const outcome = await world.create(madeBy(set ?? {}, { kind: 'Pod', name: 'p' }), { by: CONTROLLER });
    expect(reasonOf(outcome)).toBe('template-stamp-of-other-object');
  });

  it('that a person makes as a controller would is that person’s', async () => {
    const world = new DecoratorWorld();
    const { stored: deployment } = await world.create(workload('Deployment', 'web'), { by: 'alice' });
    const { stored: set } = await world.create(
      madeBy(deployment ?? {}, { kind: 'ReplicaSet', name: 'fake' }),
      { by: 'bob' },
    );
    expect(templateAnnotations(set)[ANNOTATION]).toBe('bob');
    const { stored } = await world.create(madeBy(deployment ?? {}, { kind: 'Pod', name: 'fake-1' }), {
      by: 'bob',
    });
    expect(stampOf(world, stored)).toMatchObject({ user: 'bob' });
  });

  it('waits for the API server', async () => {
    const world = new DecoratorWorld();
    const { stored: owner } = await world.create(workload('Deployment', 'web'), { by: 'alice' });
    world.isApiServerDown = true;
    expect(
      reasonOf(await world.create(madeBy(owner ?? {}, { kind: 'Pod', name: 'p' }), { by: CONTROLLER })),
    ).toBe('kubernetes-api');
  });

  it('without the template that its kind has is refused', async () => {
    const broken = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'x' }, spec: {} };
    expect(reasonOf(await new DecoratorWorld().create(broken, { by: 'alice' }))).toBe('object-malformed');
  });
});

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
  ])('of the image by %s is refused', async (by, reason) => {
    const { world } = await alicesDeployment();
    const outcome = await world.update('Deployment', 'web', withImage('evil:1'), { by });
    expect(reasonOf(outcome)).toBe(reason);
    expect(outcome.decision).toMatchObject({ text: expect.stringContaining(CLAIM_ANNOTATION) });
  });

  it('of the image can be claimed, once', async () => {
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

  it('can’t be claimed for somebody else', async () => {
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

  it('is refused while it is not known who may keep the user', async () => {
    const world = new DecoratorWorld({ mayKeepIdentity: () => Promise.reject(new Error('away')) });
    await world.create(workload('Deployment', 'web'), { by: 'alice' });
    expect(reasonOf(await world.update('Deployment', 'web', withImage('x:1'), { by: 'bob' }))).toBe(
      'kubernetes-api',
    );
  });

  it('does not make good what was changed behind our back', async () => {
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

  it('by a controller keeps what was good', async () => {
    const { world } = await alicesDeployment();
    const { stored } = await world.update('Deployment', 'web', withImage('trainer:1-pinned'), {
      by: CONTROLLER,
    });
    expect(templateAnnotations(stored)[ANNOTATION]).toBe('alice');
    expect(
      (await world.create(madeBy(stored ?? {}, { kind: 'Pod', name: 'p' }), { by: CONTROLLER })).stored,
    ).toBeDefined();
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

  it('lets somebody else add one of their own, and not change one', async () => {
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
