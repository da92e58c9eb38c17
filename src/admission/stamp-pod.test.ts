import { describe, expect, it } from '@jest/globals';
import { reasonOf, stampOf, withMetadata } from '../../test/fakes/decorator-edits.ts';
import { ANNOTATION, DecoratorWorld, NAMESPACE, pod } from '../../test/fakes/decorator-world.ts';
import { POD_STAMP_ANNOTATION, STAMPED_LABEL } from '../identity/stamps/stamp-annotations.ts';
import type { JsonObject } from './look-ups.ts';
import { annotationsOf, labelsOf, metadataText } from './object-metadata.ts';

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

  it('is refused with neither [pod-has-name]', async () => {
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

  it('is refused while there are no keys [signing-keys-known]', async () => {
    const world = new DecoratorWorld();
    world.hasKeys = false;
    expect(reasonOf(await world.create(pod('train'), { by: 'alice' }))).toBe('signing-keys');
  });

  it('is refused if its annotations are no map [pod-stampable]', async () => {
    expect(
      reasonOf(await new DecoratorWorld().create(pod('train', { annotations: ['x'] }), { by: 'alice' })),
    ).toBe('object-malformed');
  });

  it('of somebody with a name longer than a stamp can hold is refused [requester-fits-stamp]', async () => {
    expect(reasonOf(await new DecoratorWorld().create(pod('p'), { by: 'x'.repeat(513) }))).toBe(
      'requester-too-long',
    );
  });
});
