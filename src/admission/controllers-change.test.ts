import { beforeEach, describe, expect, it } from '@jest/globals';
import { reasonOf, withImage, withMetadata } from '../../test/fakes/decorator-edits.ts';
import {
  ANNOTATION,
  CONTROLLER,
  DecoratorWorld,
  madeBy,
  templateAnnotations,
  workload,
} from '../../test/fakes/decorator-world.ts';
import { CLAIM_ANNOTATION } from './decorator-parts.ts';
import type { JsonObject } from './look-ups.ts';

/*
 * As Kubeflow's notebook controller: it finds the StatefulSet of a Notebook by its name, whoever made that, and writes the
 * Notebook's pod spec into it. A Job stands for the Notebook here.
 */

let world: DecoratorWorld;

beforeEach(() => {
  world = new DecoratorWorld();
});

const sync = async (image: string) =>
  await world.update('StatefulSet', 'note', withImage(image), { by: CONTROLLER });

/** What alice wishes, and what the controller made of it. */
async function alicesNotebook(): Promise<void> {
  const { stored = {} } = await world.create(workload('Job', 'note'), { by: 'alice' });
  const child = madeBy(stored, { kind: 'StatefulSet', name: 'note' });
  expect(templateAnnotations((await world.create(child, { by: CONTROLLER })).stored)[ANNOTATION]).toBe(
    'alice',
  );
}

describe('what a controller writes into a workload', () => {
  it('is the user’s whose owner that workload has', async () => {
    await alicesNotebook();
    await world.update('Job', 'note', withImage('trainer:2'), { by: 'alice' });
    const { stored = {} } = await sync('trainer:2');
    expect(templateAnnotations(stored)[ANNOTATION]).toBe('alice');
    const pod = madeBy(stored, { kind: 'Pod', name: 'note-0' });
    expect((await world.create(pod, { by: CONTROLLER })).stored).toBeDefined();
  });

  it('is refused into one that nothing owns: the wish of somebody else has the same name [controllers-change-owned]', async () => {
    await world.create(workload('StatefulSet', 'note'), { by: 'alice' });
    await world.create(workload('Job', 'note', 'bobs:1'), { by: 'bob' });
    expect(reasonOf(await sync('bobs:1'))).toBe('template-of-another');
  });

  it('is refused when somebody else has claimed the owner [controllers-change-owned] [owner-has-stamp]', async () => {
    await alicesNotebook();
    const claim = (object: JsonObject): JsonObject =>
      withMetadata({ annotations: { [CLAIM_ANNOTATION]: 'bob' } })(withImage('bobs:1')(object));
    expect(reasonOf(await world.update('Job', 'note', claim, { by: 'bob' }))).toBe('allowed');
    expect(reasonOf(await sync('bobs:1'))).toBe('template-of-another');
  });

  it('is nobody’s when another has the name of the owner [changed-template-names-object] [owner-uid]', async () => {
    await alicesNotebook();
    await world.create(workload('Job', 'note', 'bobs:1'), { by: 'alice' });
    const { stored } = await sync('bobs:1');
    expect(stored).toBeDefined();
    expect(templateAnnotations(stored)).toEqual({});
  });

  it('is refused when the owner was changed behind our back [controllers-change-owned] [template-stamp-digest]', async () => {
    await alicesNotebook();
    await world.update('Job', 'note', withImage('bobs:1'), { by: 'bob', bypass: true });
    expect(reasonOf(await sync('bobs:1'))).toBe('template-of-another');
  });

  it('waits for the API server', async () => {
    await alicesNotebook();
    world.isApiServerDown = true;
    expect(reasonOf(await sync('trainer:2'))).toBe('kubernetes-api');
  });

  it('is anybody’s where an administrator has exempted it', async () => {
    await world.create(workload('StatefulSet', 'note'), { by: 'alice' });
    world.exempt.add(`${CONTROLLER} keep-identity`);
    expect(templateAnnotations((await sync('pinned:1')).stored)[ANNOTATION]).toBe('alice');
  });

  it('has no right by RBAC: operators are often given all of it [controllers-change-owned]', async () => {
    await world.create(workload('StatefulSet', 'note'), { by: 'alice' });
    world.keepers.add(CONTROLLER);
    expect(reasonOf(await sync('bobs:1'))).toBe('template-of-another');
  });
});

describe('who owns a workload', () => {
  const owned = (by: string) => async () => {
    const { stored = {} } = await world.create(workload('Job', 'other'), { by: 'alice' });
    const { ownerReferences } = madeBy(stored, { kind: 'Job', name: 'x' })['metadata'] as JsonObject;
    return await world.update('StatefulSet', 'note', withMetadata({ ownerReferences }), { by });
  };
  beforeEach(async () => {
    await world.create(workload('StatefulSet', 'note'), { by: 'alice' });
  });

  it('is said by nobody else [owners-of-another]', async () => {
    expect(reasonOf(await owned('bob')())).toBe('owners-of-another');
    expect(reasonOf(await owned('system:node:x')())).toBe('owners-of-another');
  });

  it.each(['alice', CONTROLLER])('is said by %s', async (by) => {
    expect(reasonOf(await owned(by)())).toBe('allowed');
  });

  it('is said by who may keep identities', async () => {
    world.keepers.add('bob');
    expect(reasonOf(await owned('bob')())).toBe('allowed');
  });

  const owner =
    (change: object) =>
    (object: JsonObject): JsonObject => {
      const { ownerReferences } = object['metadata'] as { readonly ownerReferences: readonly JsonObject[] };
      return withMetadata({ ownerReferences: ownerReferences.map((each) => ({ ...each, ...change })) })(
        object,
      );
    };

  it.each([{ uid: 'uid-of-another' }, { name: 'another' }, { kind: 'CronJob' }, { controller: false }])(
    'is not changed by others: %j [owners-of-another]',
    async (change) => {
      await owned('alice')();
      expect(reasonOf(await world.update('StatefulSet', 'note', owner(change), { by: 'bob' }))).toBe(
        'owners-of-another',
      );
    },
  );

  it.each<[string, (object: JsonObject) => JsonObject]>([
    ['takes it away', withMetadata({ ownerReferences: undefined })],
    ['no longer waits for it', owner({ blockOwnerDeletion: false })],
  ])('is no business of theirs whose garbage collector %s', async (_, edit) => {
    await owned('alice')();
    const by = 'system:serviceaccount:kube-system:generic-garbage-collector';
    expect(reasonOf(await world.update('StatefulSet', 'note', edit, { by }))).toBe('allowed');
  });

  it('is anybody’s business where it speaks for nobody', async () => {
    await world.create(workload('StatefulSet', 'note'), { by: 'alice', bypass: true });
    expect(reasonOf(await owned('bob')())).toBe('allowed');
  });

  it('is not asked about when something else changes', async () => {
    await owned('alice')();
    const touch = withMetadata({ labels: { a: 'b' } });
    const kept = (object: JsonObject): JsonObject => {
      const { ownerReferences } = object['metadata'] as JsonObject;
      return withMetadata({ ownerReferences: structuredClone(ownerReferences) })(touch(object));
    };
    expect(reasonOf(await world.update('StatefulSet', 'note', kept, { by: 'bob' }))).toBe('allowed');
  });
});
