import { describe, expect, it } from '@jest/globals';
import { ANNOTATION, DecoratorWorld, pod } from '../../test/fakes/decorator-world.ts';
import { POD_STAMP_ANNOTATION, STAMPED_LABEL } from '../identity/stamps/stamp-annotations.ts';
import { createMutation, createValidation } from './decide.ts';
import type { JsonObject } from './look-ups.ts';
import { annotationsOf } from './object-metadata.ts';
import type { AdmissionDecision } from './review/admission-decision.ts';
import type { AdmissionRequest } from './review/admission-request.ts';

const signal = new AbortController().signal;
const PODS = { group: '', version: 'v1', resource: 'pods' };

async function setUp() {
  const world = new DecoratorWorld();
  const { stored = {} } = await world.create(pod('train'), { by: 'alice' });
  const validate = createValidation(world.parts);
  const ask = async (by: string, overrides: Partial<AdmissionRequest>): Promise<string> => {
    const userInfo = { username: by, uid: undefined, groups: [], extra: {} };
    const review = world.review({
      operation: 'UPDATE',
      oldObject: stored,
      resource: PODS,
      name: 'train',
      userInfo,
      ...overrides,
    });
    return reasonOf(await validate(review, signal));
  };
  return { world, stored, ask };
}

function reasonOf(decision: AdmissionDecision): string {
  if (decision.outcome === 'allowed') return 'allowed';
  return decision.outcome === 'refused' ? decision.reason : decision.dependency;
}

const withMetadata = (object: JsonObject, change: Record<string, unknown>): JsonObject => ({
  ...object,
  metadata: { ...(object['metadata'] as JsonObject), ...change },
});
const withSpec = (object: JsonObject, change: Record<string, unknown>): JsonObject => ({
  ...object,
  spec: { ...(object['spec'] as JsonObject), ...change },
});

const SUBRESOURCES = [undefined, 'status', 'ephemeralcontainers', 'resize'];

describe('an update of a stamped pod', () => {
  it.each(
    SUBRESOURCES.flatMap((subResource) =>
      [
        ['the user', { [ANNOTATION]: 'bob' }],
        ['the user away', { [ANNOTATION]: undefined }],
        ['the stamp', { [POD_STAMP_ANNOTATION]: 'x' }],
        ['the stamp away', { [POD_STAMP_ANNOTATION]: undefined }],
      ].map(([what, change]) => [subResource, what, change] as const),
    ),
  )('through %s that changes %s is refused to anybody [stamp-immutable]', async (subResource, _, change) => {
    const { stored, ask } = await setUp();
    const annotations = JSON.parse(
      JSON.stringify({ ...annotationsOf(stored), ...(change as object) }),
    ) as object;
    for (const by of ['alice', 'bob', 'system:node:x']) {
      expect(await ask(by, { subResource, object: withMetadata(stored, { annotations }) })).toBe(
        'stamp-immutable',
      );
    }
  });

  it.each(SUBRESOURCES)(
    'through %s that takes the label is refused [stamp-immutable]',
    async (subResource) => {
      const { stored, ask } = await setUp();
      expect(await ask('alice', { subResource, object: withMetadata(stored, { labels: {} }) })).toBe(
        'stamp-immutable',
      );
      const labels = { [STAMPED_LABEL]: 'false' };
      expect(await ask('alice', { subResource, object: withMetadata(stored, { labels }) })).toBe(
        'stamp-immutable',
      );
    },
  );

  it('that changes anything else is nobody’s business', async () => {
    const { stored, ask } = await setUp();
    const object = withMetadata(stored, {
      annotations: { ...annotationsOf(stored), other: 'x' },
      finalizers: ['f'],
    });
    expect(await ask('system:node:x', { subResource: 'status', object })).toBe('allowed');
    expect(await ask('bob', { object })).toBe('allowed');
  });

  const images = [
    ['another image', { containers: [{ name: 'main', image: 'evil:1' }] }],
    ['an init image', { initContainers: [{ name: 'init', image: 'evil:1' }] }],
    ['an ephemeral container', { ephemeralContainers: [{ name: 'debug', image: 'evil:1' }] }],
    [
      'another order of containers',
      {
        containers: [
          { name: 'other', image: 'trainer:1' },
          { name: 'main', image: 'trainer:1' },
        ],
      },
    ],
  ] as const;

  it.each(images)('that brings %s is its user’s alone [pod-of-another]', async (_, spec) => {
    const { world, stored, ask } = await setUp();
    const object = withSpec(stored, spec);
    expect(await ask('alice', { object })).toBe('allowed');
    expect(await ask('bob', { object })).toBe('pod-of-another');
    expect(await ask('system:node:x', { object })).toBe('pod-of-another');
    // A delegate speaks for whom it names.
    expect(await ask('hub', { object })).toBe('allowed');
    for (const from of ['images', 'ephemeral-containers']) world.exempt.add(`bob ${from}`);
    expect(await ask('bob', { object })).toBe('allowed');
  });

  it.each([
    ['images', { containers: [{ name: 'main', image: 'evil:1' }] }, 'images'],
    [
      'ephemeralContainers',
      { ephemeralContainers: [{ name: 'debug', image: 'evil:1' }] },
      'ephemeral-containers',
    ],
  ] as const)(
    'is not guarded with %s off, but with an exemption from something else [pod-of-another]',
    async (off, spec, from) => {
      const { world, stored, ask } = await setUp();
      const object = withSpec(stored, spec);
      for (const other of ['connect', 'images', 'ephemeral-containers'].filter((each) => each !== from))
        world.exempt.add(`bob ${other}`);
      expect(await ask('bob', { object })).toBe('pod-of-another');
      const guard = { connect: true, images: true, ephemeralContainers: true, [off]: false };
      const review = world.review({
        operation: 'UPDATE',
        oldObject: stored,
        object,
        resource: PODS,
        userInfo: { username: 'carol', uid: undefined, groups: [], extra: {} },
      });
      expect(reasonOf(await createValidation({ ...world.parts, guard })(review, signal))).toBe('allowed');
    },
  );

  it('of how much a container may use is anybody’s', async () => {
    const { stored, ask } = await setUp();
    const containers = [{ name: 'main', image: 'trainer:1', resources: { limits: { cpu: '2' } } }];
    expect(await ask('bob', { subResource: 'resize', object: withSpec(stored, { containers }) })).toBe(
      'allowed',
    );
  });

  it('of another image waits for who can say who asks', async () => {
    const world = new DecoratorWorld({
      mapRequester: () => Promise.resolve({ outcome: 'could-not-check', dependency: 'kubernetes-api' }),
    });
    const old = { ...pod('p'), metadata: { name: 'p', annotations: { [ANNOTATION]: 'alice' } } };
    const object = withSpec(old, { containers: [{ name: 'main', image: 'evil' }] });
    const review = world.review({ operation: 'UPDATE', oldObject: old, object, resource: PODS });
    expect(reasonOf(await createValidation(world.parts)(review, signal))).toBe('kubernetes-api');
  });
});

describe('what reaches into a pod', () => {
  const connect = (subResource: string, name = 'train'): Partial<AdmissionRequest> => ({
    operation: 'CONNECT',
    subResource,
    name,
    object: undefined,
    oldObject: undefined,
  });

  it.each(['exec', 'attach', 'portforward', 'proxy'])(
    'by %s is its user’s alone [pod-of-another]',
    async (subResource) => {
      const { world, ask } = await setUp();
      expect(await ask('alice', connect(subResource))).toBe('allowed');
      expect(await ask('bob', connect(subResource))).toBe('pod-of-another');
      world.exempt.add('bob connect');
      expect(await ask('bob', connect(subResource))).toBe('allowed');
    },
  );

  it.each(['train:8080', 'http:train:8080', 'https:train:', ':train:web'])(
    'by proxy to %s is its user’s alone [pod-of-another]',
    async (name) => {
      const { ask } = await setUp();
      expect(await ask('alice', connect('proxy', name))).toBe('allowed');
      expect(await ask('bob', connect('proxy', name))).toBe('pod-of-another');
    },
  );

  it('is refused where there is no pod: it may come before the API server looks [connected-pod-found]', async () => {
    const { ask } = await setUp();
    expect(await ask('bob', connect('exec', 'to-come'))).toBe('pod-not-found');
  });

  it('is let through to a pod of nobody', async () => {
    const { world, ask } = await setUp();
    await world.create(pod('plain'), { by: 'alice', bypass: true });
    expect(await ask('bob', connect('exec', 'plain'))).toBe('allowed');
  });

  it('waits for the API server', async () => {
    const { world, ask } = await setUp();
    world.isApiServerDown = true;
    expect(await ask('alice', connect('exec'))).toBe('kubernetes-api');
  });
});

describe('other writes', () => {
  it.each([
    ['bindings', undefined],
    ['pods', 'binding'],
  ])('a Binding through %s/%s brings no stamp [binding-without-stamp]', async (resource, subResource) => {
    const { ask } = await setUp();
    const binding = (metadata: object): Partial<AdmissionRequest> => ({
      operation: 'CREATE',
      resource: { ...PODS, resource },
      subResource,
      oldObject: undefined,
      object: { apiVersion: 'v1', kind: 'Binding', metadata: { name: 'train', ...metadata } },
    });
    expect(await ask('scheduler', binding({ annotations: { other: 'x' } }))).toBe('allowed');
    for (const key of [ANNOTATION, POD_STAMP_ANNOTATION]) {
      expect(await ask('scheduler', binding({ annotations: { [key]: 'x' } }))).toBe('stamp-in-binding');
    }
    expect(await ask('scheduler', binding({ labels: { [STAMPED_LABEL]: 'true' } }))).toBe('stamp-in-binding');
  });

  it('through a subresource that nobody knows is refused unless it is an update of the pod [subresource-known]', async () => {
    const { stored, ask } = await setUp();
    expect(
      await ask('alice', {
        operation: 'CREATE',
        subResource: 'new',
        object: stored,
        oldObject: undefined,
      }),
    ).toBe('subresource-unknown');
    expect(await ask('bob', { subResource: 'new', object: stored })).toBe('allowed');
  });

  it('through a subresource that nobody knows, as an update of the pod, leave the stamp [stamp-immutable]', async () => {
    const { stored, ask } = await setUp();
    expect(await ask('bob', { subResource: 'new', object: withMetadata(stored, { annotations: {} }) })).toBe(
      'stamp-immutable',
    );
  });

  it.each([
    ['eviction', 'CREATE'],
    ['log', 'CONNECT'],
  ] as const)('%s is let through', async (subResource, operation) => {
    const { ask } = await setUp();
    expect(await ask('bob', { operation, subResource, object: undefined, oldObject: undefined })).toBe(
      'allowed',
    );
  });

  it('of what has no namespace, or is deleted, is nothing to us', async () => {
    const { world, stored, ask } = await setUp();
    expect(
      await ask('bob', { namespace: undefined, object: withMetadata(stored, { annotations: {} }) }),
    ).toBe('allowed');
    expect(await ask('bob', { operation: 'DELETE', object: undefined })).toBe('allowed');
    const review = world.review({ operation: 'UPDATE', object: stored, resource: PODS });
    expect(await createMutation(world.parts)(review, signal)).toEqual({ outcome: 'allowed' });
  });
});
