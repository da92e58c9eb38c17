import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ApiObject, Requester, Write } from '../api-caller.ts';
import { ALICE, DecorateWorld, podsPath, TEAM } from '../decorate/decorate-world.ts';
import { asAdmin, refusalOf } from './webhook-trials.ts';

/** By a rule: may change images and add containers, and may not reach into pods. */
const CAROL = asAdmin('carol');

let world: DecorateWorld;
beforeAll(async () => {
  world = await DecorateWorld.open();
  await world.startWithRequesters({
    trustedControllers: ['builtin'],
    otherRequesters: 'themselves',
    exempt: [{ usernames: ['carol'], namespaces: [TEAM], from: ['images', 'ephemeral-containers'] }],
  });
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

const podSpec = {
  terminationGracePeriodSeconds: 0,
  initContainers: [{ name: 'first', image: 'prepare:1' }],
  containers: [
    { name: 'main', image: 'trainer:1' },
    { name: 'side', image: 'logs:1' },
  ],
};

/** By server-side apply, so that a later one may change what it owns. */
async function madeByAlice(name: string): Promise<ApiObject> {
  const body = { apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec: podSpec };
  return await world.api.must(`${podsPath()}/${name}`, { method: 'PATCH', kind: 'apply', body }, ALICE);
}

type List = 'containers' | 'initContainers';
const WAYS = ['merge', 'JSON', 'strategic', 'apply', 'PUT'] as const;
type Way = (typeof WAYS)[number];

function imageWrite(way: Way, list: List, { metadata, ...pod }: ApiObject): Write {
  const containers = podSpec[list].map((each, index) => (index === 0 ? { ...each, image: 'evil:1' } : each));
  switch (way) {
    case 'merge':
    case 'strategic':
      return { method: 'PATCH', kind: way, body: { spec: { [list]: wayBody(way, list, pod, containers) } } };
    case 'JSON':
      return {
        method: 'PATCH',
        kind: 'JSON',
        body: [{ op: 'replace', path: `/spec/${list}/0/image`, value: 'evil:1' }],
      };
    case 'apply': {
      const spec = { ...podSpec, [list]: containers };
      const body = { apiVersion: 'v1', kind: 'Pod', metadata: { name: metadata?.name }, spec };
      return { method: 'PATCH', kind: 'apply', body };
    }
    case 'PUT': {
      const { managedFields: _, resourceVersion: __, ...kept } = metadata ?? {};
      const spec = { ...(pod['spec'] as object), [list]: storedWith(list, pod) };
      return { method: 'PUT', body: { ...pod, metadata: kept, spec } };
    }
  }
}

/** A merge patch replaces the list, so the whole of it must be there. */
function wayBody(
  way: 'merge' | 'strategic',
  list: List,
  pod: object,
  containers: readonly object[],
): unknown {
  return way === 'merge' ? storedWith(list, pod) : containers.slice(0, 1);
}

function storedWith(list: List, pod: object): readonly object[] {
  const { spec } = pod as { spec: Record<List, readonly object[]> };
  return spec[list].map((each, index) => (index === 0 ? { ...each, image: 'evil:1' } : each));
}

function firstImage(list: List, pod: object): unknown {
  return (pod as { spec: Record<List, readonly { image: string }[]> }).spec[list][0]?.image;
}

const CASES = (['containers', 'initContainers'] as const).flatMap((list) =>
  WAYS.map((way) => ({ list, way })),
);
const stored = (name: string): Promise<ApiObject> =>
  world.api.must(`${podsPath()}/${name}`, { method: 'GET' });

describe('another image in a pod of alice’s', () => {
  it.each(CASES)(
    'by $way in $list: not by bob, but by alice, and by whom a rule exempts',
    async ({ list, way }) => {
      const name = `${list}-${way}`.toLowerCase();
      const path = `${podsPath()}/${name}`;
      const pod = await madeByAlice(name);
      const write = imageWrite(way, list, pod);
      for (const as of [asAdmin('bob'), { user: 'bob', groups: ['analysts'] }]) {
        expect(await refusalOf(world, { path, write, as })).toEqual({
          status: 403,
          reason: 'pod-of-another',
          message: expect.stringContaining(
            `this changes the images of pod "${name}", which speaks for "alice": ask them to do it`,
          ),
        });
      }
      expect(firstImage(list, await stored(name))).toBe(podSpec[list][0]?.image);

      const by: Requester = way === 'PUT' ? ALICE : CAROL;
      const changed = await world.api.must(path, write, by);
      expect(firstImage(list, changed)).toBe('evil:1');
      expect(await world.stampOf(changed)).toMatchObject({ user: 'alice', requester: 'alice' });
    },
  );

  it('with the name of the container as a disguise is seen', async () => {
    await madeByAlice('second-container');
    const body = [{ op: 'replace', path: '/spec/containers/1/image', value: 'evil:1' }];
    const write: Write = { method: 'PATCH', kind: 'JSON', body };
    const trial = { path: `${podsPath()}/second-container`, write, as: asAdmin('bob') };
    expect(await refusalOf(world, trial)).toMatchObject({ status: 403, reason: 'pod-of-another' });
  });

  it('is refused in a dry run as well', async () => {
    const pod = await madeByAlice('dry');
    const trial = {
      path: `${podsPath()}/dry?dryRun=All`,
      write: imageWrite('strategic', 'containers', pod),
      as: asAdmin('bob'),
    };
    expect(await refusalOf(world, trial)).toMatchObject({ status: 403, reason: 'pod-of-another' });
  });

  it('together with a harmless label is refused as a whole', async () => {
    const pod = await madeByAlice('mixed');
    const { body } = imageWrite('strategic', 'containers', pod) as { body: object };
    const write: Write = {
      method: 'PATCH',
      kind: 'strategic',
      body: { ...body, metadata: { labels: { note: 'x' } } },
    };
    const trial = { path: `${podsPath()}/mixed`, write, as: asAdmin('bob') };
    expect(await refusalOf(world, trial)).toMatchObject({ status: 403, reason: 'pod-of-another' });
    expect((await stored('mixed')).metadata?.labels).not.toHaveProperty('note');
  });
});

const DEBUG = [{ name: 'debug', image: 'evil:1' }];
const EPHEMERAL: readonly (readonly [string, Write])[] = [
  ['merge', { method: 'PATCH', kind: 'merge', body: { spec: { ephemeralContainers: DEBUG } } }],
  [
    'JSON',
    {
      method: 'PATCH',
      kind: 'JSON',
      body: [{ op: 'add', path: '/spec/ephemeralContainers', value: DEBUG }],
    },
  ],
  ['strategic', { method: 'PATCH', kind: 'strategic', body: { spec: { ephemeralContainers: DEBUG } } }],
  [
    'apply',
    {
      method: 'PATCH',
      kind: 'apply',
      body: { apiVersion: 'v1', kind: 'Pod', spec: { ephemeralContainers: DEBUG } },
    },
  ],
];

describe('an ephemeral container in a pod of alice’s', () => {
  it.each(EPHEMERAL)('by %s: not by bob, but by alice', async (way, write) => {
    const name = `ephemeral-${way.toLowerCase()}`;
    await madeByAlice(name);
    const path = `${podsPath()}/${name}/ephemeralcontainers`;
    expect(await refusalOf(world, { path, write, as: asAdmin('bob') })).toEqual({
      status: 403,
      reason: 'pod-of-another',
      message: expect.stringContaining(`this adds a container to pod "${name}", which speaks for "alice"`),
    });
    const { spec } = await world.api.must(path, write, asAdmin('alice'));
    expect((spec as { ephemeralContainers?: unknown }).ephemeralContainers).toHaveLength(1);
  });

  it('by PUT: not by bob, but by whom a rule exempts', async () => {
    const { metadata, ...pod } = await madeByAlice('ephemeral-put');
    const { managedFields: _, ...kept } = metadata ?? {};
    const spec = { ...(pod['spec'] as object), ephemeralContainers: DEBUG };
    const write: Write = { method: 'PUT', body: { ...pod, metadata: kept, spec } };
    const path = `${podsPath()}/ephemeral-put/ephemeralcontainers`;
    const trial = { path, write, as: asAdmin('bob') };
    expect(await refusalOf(world, trial)).toMatchObject({ status: 403, reason: 'pod-of-another' });
    await world.api.must(path, write, CAROL);
  });
});

describe('who is exempt', () => {
  it('from images is so in the namespaces of the rule only', async () => {
    await world.createNamespace('team-2', { iddecorator: 'enabled' });
    await world.api.must(
      podsPath('team-2'),
      {
        method: 'POST',
        body: { metadata: { name: 'theirs' }, spec: podSpec },
      },
      asAdmin('alice'),
    );
    const write: Write = {
      method: 'PATCH',
      kind: 'strategic',
      body: { spec: { containers: [{ name: 'main', image: 'evil:1' }] } },
    };
    const trial = { path: `${podsPath('team-2')}/theirs`, write, as: CAROL };
    expect(await refusalOf(world, trial)).toMatchObject({ status: 403, reason: 'pod-of-another' });
  });

  it.each(['exec?command=id&stdout=true', 'attach?stdout=true', 'portforward?ports=80', 'proxy'])(
    'from images may not %s',
    async (subresource) => {
      const name = `reached-by-${subresource.replace(/\?.*/, '')}`;
      await madeByAlice(name);
      const path = `${podsPath()}/${name}/${subresource}`;
      expect(await refusalOf(world, { path, write: { method: 'GET' }, as: CAROL })).toEqual({
        status: 403,
        reason: 'pod-of-another',
        message: expect.stringMatching(/this reaches into pod .*exemption from "connect"/),
      });
    },
  );
});
