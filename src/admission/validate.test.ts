import { describe, expect, it } from '@jest/globals';
import { reasonOf } from '../../test/fakes/decorator-edits.ts';
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
import { newSigningKey, publicKeysOf } from '../identity/stamps/stamp-keys.ts';
import { signPodStamp } from '../identity/stamps/pod-stamp.ts';
import {
  POD_STAMP_ANNOTATION,
  STAMPED_LABEL,
  TEMPLATE_STAMP_ANNOTATION,
} from '../identity/stamps/stamp-annotations.ts';
import { readTemplateStamp, signTemplateStamp } from '../identity/stamps/template-stamp.ts';
import { createValidation } from './decide.ts';
import type { JsonObject } from './look-ups.ts';
import { annotationsOf, labelsOf } from './object-metadata.ts';

type Edit = (object: JsonObject) => JsonObject;

const annotated =
  (change: Readonly<Record<string, string | undefined>>): Edit =>
  (object) => {
    const metadata = object['metadata'] as JsonObject;
    const entries = Object.entries({ ...annotationsOf(object), ...change }).filter(
      ([, value]) => value !== undefined,
    );
    return { ...object, metadata: { ...metadata, annotations: Object.fromEntries(entries) } };
  };

const labelled =
  (labels: Readonly<Record<string, string>>): Edit =>
  (object) => ({
    ...object,
    metadata: { ...(object['metadata'] as JsonObject), labels: { ...labels } },
  });

const withTemplate =
  (edit: Edit): Edit =>
  (object) => {
    const spec = object['spec'] as JsonObject;
    return { ...object, spec: { ...spec, template: edit(spec['template'] as JsonObject) } };
  };

describe('a pod as it is stored, after what another webhook did', () => {
  const world = new DecoratorWorld();
  const stamp = (change: object, key = world.keys.signing): string =>
    signPodStamp(
      {
        namespace: NAMESPACE,
        podName: 'train',
        user: 'alice',
        requester: 'alice',
        issuedAtSeconds: Math.floor(world.clock.now() / 1_000),
        ...change,
      },
      key,
    );

  it('passes with the stamp that it got', async () => {
    const outcome = await world.create(pod('train'), {
      by: 'alice',
      lateMutator: labelled({ [STAMPED_LABEL]: 'true', more: 'x' }),
    });
    expect(reasonOf(outcome)).toBe('allowed');
  });

  it.each<readonly [string, string, Edit]>([
    ['final-user', 'user-overwritten', annotated({ [ANNOTATION]: 'bob' })],
    ['final-user', 'user-overwritten', annotated({ [ANNOTATION]: undefined })],
    ['final-label', 'label-overwritten', labelled({})],
    ['final-label', 'label-overwritten', labelled({ [STAMPED_LABEL]: 'yes' })],
    ['final-stamp', 'stamp-overwritten', annotated({ [POD_STAMP_ANNOTATION]: undefined })],
    ['final-stamp', 'stamp-overwritten', annotated({ [POD_STAMP_ANNOTATION]: 'x' })],
    [
      'final-stamp] [stamp-key',
      'stamp-overwritten',
      annotated({ [POD_STAMP_ANNOTATION]: stamp({}, newSigningKey()) }),
    ],
    [
      'final-stamp-of-pod',
      'stamp-of-other-pod',
      annotated({ [POD_STAMP_ANNOTATION]: stamp({ podName: 'other' }) }),
    ],
    [
      'final-stamp-of-pod',
      'stamp-of-other-pod',
      annotated({ [POD_STAMP_ANNOTATION]: stamp({ namespace: 'team-b' }) }),
    ],
    [
      'final-stamp-of-pod',
      'stamp-of-other-pod',
      annotated({ [POD_STAMP_ANNOTATION]: stamp({ user: 'bob' }) }),
    ],
    [
      'final-stamp-of-pod',
      'stamp-of-other-pod',
      annotated({ [POD_STAMP_ANNOTATION]: stamp({ requester: 'bob' }) }),
    ],
    [
      'final-stamp-fresh',
      'stamp-old',
      annotated({
        [POD_STAMP_ANNOTATION]: stamp({ issuedAtSeconds: Math.floor(world.clock.now() / 1_000) - 31 }),
      }),
    ],
  ])('(%#) is refused [%s]', async (_, reason, lateMutator) => {
    expect(reasonOf(await world.create(pod('train'), { by: 'alice', lateMutator }))).toBe(reason);
  });

  it.each<readonly [string, Edit]>([
    ['user', annotated({ [ANNOTATION]: 'alice' })],
    ['stamp', annotated({ [POD_STAMP_ANNOTATION]: stamp({}) })],
    ['label', labelled({ [STAMPED_LABEL]: 'true' })],
  ])('that speaks for nobody is refused with a %s [pod-of-nobody-bare]', async (_, lateMutator) => {
    const { stored } = await world.create(workload('Deployment', 'old'), { by: 'alice', bypass: true });
    const made = madeBy(stored ?? {}, { kind: 'Pod', name: 'old-1' });
    expect(reasonOf(await world.create(made, { by: CONTROLLER, lateMutator }))).toBe('stamp-of-nobody');
    expect(reasonOf(await world.create(made, { by: CONTROLLER }))).toBe('allowed');
  });
});

describe('a workload as it is stored, after what another webhook did', () => {
  const world = new DecoratorWorld();
  const stamp = (change: object, key = world.keys.signing): string =>
    signTemplateStamp(
      {
        namespace: NAMESPACE,
        namespaceUid: world.namespaceUid,
        kind: 'apps/Deployment',
        name: 'web',
        user: 'alice',
        requester: 'alice',
        digest: 'A'.repeat(43),
        ...change,
      },
      key,
    );

  it.each<readonly [string, string, Edit]>([
    [
      'final-template-stamped',
      'template-stamp-missing',
      annotated({ [TEMPLATE_STAMP_ANNOTATION]: undefined }),
    ],
    ['final-template-stamp', 'template-stamp-overwritten', annotated({ [TEMPLATE_STAMP_ANNOTATION]: 'x' })],
    [
      'final-template-stamp] [stamp-key',
      'template-stamp-overwritten',
      annotated({ [TEMPLATE_STAMP_ANNOTATION]: stamp({}, newSigningKey()) }),
    ],
    [
      'final-template-stamp-of-object',
      'template-stamp-of-other-object',
      annotated({ [TEMPLATE_STAMP_ANNOTATION]: stamp({ name: 'other' }) }),
    ],
    [
      'final-template-stamp-of-object',
      'template-stamp-of-other-object',
      annotated({ [TEMPLATE_STAMP_ANNOTATION]: stamp({ namespace: 'team-b' }) }),
    ],
    [
      'final-template-stamp-of-object',
      'template-stamp-of-other-object',
      annotated({ [TEMPLATE_STAMP_ANNOTATION]: stamp({ kind: 'Deployment' }) }),
    ],
    ['final-template-digest', 'template-changed', annotated({ [TEMPLATE_STAMP_ANNOTATION]: stamp({}) })],
    [
      'final-template-digest',
      'template-changed',
      (template) => ({ ...template, spec: { containers: [{ image: 'proxy' }] } }),
    ],
    ['final-template-user', 'template-user-overwritten', annotated({ [ANNOTATION]: 'bob' })],
    ['final-template-user', 'template-user-overwritten', annotated({ [ANNOTATION]: undefined })],
  ])('(%#) is refused [%s]', async (_, reason, edit) => {
    const lateMutator = withTemplate(edit);
    expect(reasonOf(await world.create(workload('Deployment', 'web'), { by: 'alice', lateMutator }))).toBe(
      reason,
    );
  });

  it('tells of the webhook that drops the annotations of templates [final-template-stamped]', async () => {
    const lateMutator = withTemplate((template) => ({ spec: template['spec'] }));
    const { decision } = await world.create(workload('Deployment', 'web'), { by: 'alice', lateMutator });
    expect(decision).toMatchObject({
      text: expect.stringContaining('has lost its stamp: another admission webhook'),
    });
  });

  it('passes with other annotations, and where ours runs again', async () => {
    const edit = withTemplate(annotated({ other: 'x' }));
    expect(
      reasonOf(await world.create(workload('Deployment', 'web'), { by: 'alice', lateMutator: edit })),
    ).toBe('allowed');
    const proxy = withTemplate((template) => ({ ...template, spec: { containers: [{ image: 'proxy' }] } }));
    expect(
      reasonOf(await world.create(workload('Deployment', 'web2'), { by: 'alice', mutator: proxy })),
    ).toBe('allowed');
  });

  it('of a controller is refused without the stamp that its owner has [final-template-stamped]', async () => {
    const { stored } = await world.create(workload('Deployment', 'web3'), { by: 'alice' });
    const made = madeBy(stored ?? {}, { kind: 'ReplicaSet', name: 'web3-1' });
    const bare = withTemplate(annotated({ [TEMPLATE_STAMP_ANNOTATION]: undefined, [ANNOTATION]: undefined }));
    expect(reasonOf(await world.create(made, { by: CONTROLLER, lateMutator: bare }))).toBe(
      'template-stamp-missing',
    );
    const { stored: old } = await world.create(workload('Deployment', 'old'), { by: 'alice', bypass: true });
    const { stored: set } = await world.create(madeBy(old ?? {}, { kind: 'ReplicaSet', name: 'old-1' }), {
      by: CONTROLLER,
    });
    expect(templateAnnotations(set)).toEqual({});
    expect(labelsOf(set)).toEqual({});
  });

  it('is refused with the stamp that somebody else once got for the same [final-template-author]', async () => {
    const { stored } = await world.create(workload('Deployment', 'web'), { by: 'alice' });
    const opened = readTemplateStamp(
      templateAnnotations(stored)[TEMPLATE_STAMP_ANNOTATION] ?? '',
      publicKeysOf({ keys: [world.keys.signing] }),
    );
    if (opened.outcome !== 'valid') throw new Error(opened.reason);
    const copied = stamp({ digest: opened.stamp.digest });
    const edit = withTemplate(annotated({ [TEMPLATE_STAMP_ANNOTATION]: copied, [ANNOTATION]: 'alice' }));
    const create = async (by: string) =>
      reasonOf(await world.create(workload('Deployment', 'web'), { by, lateMutator: edit }));
    expect(await create('alice')).toBe('allowed');
    expect(await create('bob')).toBe('template-stamp-of-other-author');
  });
});

describe('the validating webhook, should the other not have been asked', () => {
  const validate = async (world: DecoratorWorld, object: JsonObject): Promise<string> => {
    const decision = await createValidation(world.parts)(
      world.review({ object }),
      new AbortController().signal,
    );
    return reasonOf({ stored: undefined, decision });
  };

  it.each([
    ['validating-keys-known', pod('train')],
    ['validating-template-keys-known', workload('Deployment', 'web')],
  ])('waits for keys [%s]', async (_, object) => {
    const world = new DecoratorWorld();
    world.hasKeys = false;
    expect(await validate(world, object)).toBe('signing-keys');
  });

  it('refuses what is not of its kind [final-templates-readable]', async () => {
    const broken = { ...workload('Deployment', 'web'), spec: {} };
    expect(await validate(new DecoratorWorld(), broken)).toBe('object-malformed');
  });
});
