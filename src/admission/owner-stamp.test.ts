import { describe, expect, it } from '@jest/globals';
import {
  reasonOf,
  withImage,
  withMetadata,
  withTemplateAnnotations,
} from '../../test/fakes/decorator-edits.ts';
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
import { newSigningKey } from '../identity/stamps/stamp-keys.ts';
import { signTemplateStamp } from '../identity/stamps/template-stamp.ts';
import { POD_STAMP_ANNOTATION, TEMPLATE_STAMP_ANNOTATION } from '../identity/stamps/stamp-annotations.ts';
import { CLAIM_ANNOTATION } from './decorator-parts.ts';
import type { JsonObject } from './look-ups.ts';
import { annotationsOf } from './object-metadata.ts';

describe('a controller’s pod', () => {
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
  ])('with %s speaks for nobody', async (_, edit) => {
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
    readonly [
      string,
      string,
      string,
      (world: DecoratorWorld, made: JsonObject) => Promise<JsonObject> | JsonObject,
    ]
  >([
    [
      'whose owner does not exist',
      'owner-found',
      'owner-not-found',
      (_, made) => reference({ name: 'gone' })(made),
    ],
    [
      'whose owner was made anew',
      'owner-uid',
      'owner-uid-differs',
      (_, made) => reference({ uid: 'uid-of-the-old-one' })(made),
    ],
    [
      'with the stamp of another template',
      'owner-has-stamp',
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
      'template-stamp-digest',
      'template-changed',
      async (world, made) => {
        await world.update('Deployment', 'web', withImage('evil:1'), { by: 'bob', bypass: true });
        return made;
      },
    ],
    [
      'whose owner has a stamp of another key',
      'template-stamp-verified] [stamp-key',
      'template-stamp-unknown-key',
      async (world, made) => {
        const stamp = {
          namespace: NAMESPACE,
          namespaceUid: world.namespaceUid,
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
      'template-stamp-namespace',
      'template-stamp-of-other-namespace',
      async (world, made) => {
        const stamp = {
          namespace: 'team-b',
          namespaceUid: world.namespaceUid,
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
      'template-stamp-verified] [stamp-type',
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
  ])('%s is refused [%s]', async (_, _check, reason, edit) => {
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

  it('whose owner has the stamp of a Deployment that does not own that is refused [template-stamp-names-owner]', async () => {
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

  it('waits for the API server', async () => {
    const world = new DecoratorWorld();
    const { stored: owner } = await world.create(workload('Deployment', 'web'), { by: 'alice' });
    world.isApiServerDown = true;
    expect(
      reasonOf(await world.create(madeBy(owner ?? {}, { kind: 'Pod', name: 'p' }), { by: CONTROLLER })),
    ).toBe('kubernetes-api');
  });

  it('whose owner is not what its kind is, is refused [owner-templates-readable]', async () => {
    const world = new DecoratorWorld();
    const { stored: owner } = await world.create(workload('Deployment', 'web'), { by: 'alice' });
    const made = madeBy(owner ?? {}, { kind: 'Pod', name: 'web-1' });
    await world.update('Deployment', 'web', (object) => ({ ...object, spec: {} }), {
      by: 'bob',
      bypass: true,
    });
    expect(reasonOf(await world.create(made, { by: CONTROLLER }))).toBe('owner-malformed');
  });

  it('of a built-in owner, without the stamp that this has by now, speaks for nobody [built-in-copies-stamp]', async () => {
    const world = new DecoratorWorld();
    const { stored: before = {} } = await world.create(workload('StatefulSet', 'web', 'evil:1'), {
      by: 'bob',
      bypass: true,
    });
    await world.update('StatefulSet', 'web', withImage('trainer:1'), { by: 'alice' });
    const { stored } = await world.create(madeBy(before, { kind: 'Pod', name: 'web-0' }), { by: CONTROLLER });
    expect(stored).toBeDefined();
    expect(annotationsOf(stored)).toEqual({});
  });
});

describe('a pod of an earlier template, while a change is rolled out', () => {
  async function rolledOut(kind: string, by: string) {
    const world = new DecoratorWorld();
    const { stored: before = {} } = await world.create(workload(kind, 'web'), { by: 'alice' });
    const claim = withMetadata({ annotations: { [CLAIM_ANNOTATION]: by } });
    await world.update(kind, 'web', (object) => claim(withImage('trainer:2')(object)), { by });
    const make = async (edit = (made: JsonObject): JsonObject => made) =>
      await world.create(edit(madeBy(before, { kind: 'Pod', name: 'web-0' })), { by: CONTROLLER });
    return { world, make };
  }

  it.each(['StatefulSet', 'DaemonSet'])('of a %s speaks for the user of both', async (kind) => {
    const { make } = await rolledOut(kind, 'alice');
    expect(annotationsOf((await make()).stored)[ANNOTATION]).toBe('alice');
  });

  it('is refused when it is another’s by now [owner-has-stamp]', async () => {
    const { make } = await rolledOut('StatefulSet', 'bob');
    expect(reasonOf(await make())).toBe('template-stamp-differs');
  });

  it('is refused of what keeps no earlier templates [owner-has-stamp]', async () => {
    const { make } = await rolledOut('Deployment', 'alice');
    expect(reasonOf(await make())).toBe('template-stamp-differs');
  });

  it('is refused with a stamp of another of hers [owner-has-stamp]', async () => {
    const { world, make } = await rolledOut('StatefulSet', 'alice');
    const { stored } = await world.create(workload('StatefulSet', 'other'), { by: 'alice' });
    const annotations = templateAnnotations(stored);
    expect(reasonOf(await make(withMetadata({ annotations: { ...annotations } })))).not.toBe('allowed');
  });

  it('is refused when the template was changed behind our back since [owner-has-stamp]', async () => {
    const { world, make } = await rolledOut('StatefulSet', 'alice');
    await world.update('StatefulSet', 'web', withImage('evil:1'), { by: 'bob', bypass: true });
    expect(reasonOf(await make())).toBe('template-stamp-differs');
  });
});
