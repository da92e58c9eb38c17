import { describe, expect, it } from '@jest/globals';
import { reasonOf, stampOf, withImage, withMetadata } from '../../test/fakes/decorator-edits.ts';
import {
  ANNOTATION,
  CONTROLLER,
  DecoratorWorld,
  madeBy,
  pod,
  templateAnnotations,
  workload,
} from '../../test/fakes/decorator-world.ts';
import { publicKeysOf } from '../identity/stamps/stamp-keys.ts';
import { readTemplateStamp } from '../identity/stamps/template-stamp.ts';
import {
  POD_STAMP_ANNOTATION,
  STAMPED_LABEL,
  TEMPLATE_STAMP_ANNOTATION,
} from '../identity/stamps/stamp-annotations.ts';
import type { JsonObject } from './look-ups.ts';
import { annotationsOf, labelsOf } from './object-metadata.ts';

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

  it('without the template that its kind has is refused [templates-readable]', async () => {
    const broken = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'x' }, spec: {} };
    expect(reasonOf(await new DecoratorWorld().create(broken, { by: 'alice' }))).toBe('object-malformed');
  });

  it('is refused with neither name nor generateName [workload-has-name]', async () => {
    const nameless = { ...workload('Deployment', 'web'), metadata: {} };
    expect(reasonOf(await new DecoratorWorld().create(nameless, { by: 'alice' }))).toBe('no-name');
  });

  it('is refused while there are no keys [template-signing-keys-known]', async () => {
    const world = new DecoratorWorld();
    world.hasKeys = false;
    expect(reasonOf(await world.create(workload('Deployment', 'web'), { by: 'alice' }))).toBe('signing-keys');
  });

  it('is refused if the annotations of its template are no map [templates-stampable]', async () => {
    const spec = { template: { metadata: { annotations: ['x'] }, spec: {} } };
    const broken = { ...workload('Deployment', 'web'), spec };
    expect(reasonOf(await new DecoratorWorld().create(broken, { by: 'alice' }))).toBe('object-malformed');
  });
});
