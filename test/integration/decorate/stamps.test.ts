import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ApiObject } from '../api-caller.ts';
import { until } from '../until.ts';
import { ALICE, ANNOTATION, BOB, DecorateWorld, OTHERS, podBody, podsPath, TEAM } from './decorate-world.ts';

let world: DecorateWorld;
beforeAll(async () => {
  world = await DecorateWorld.open();
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

const labels = { app: 'train' };
const template = (restartPolicy = 'Always', image = 'trainer:1'): object => ({
  metadata: { labels },
  spec: { restartPolicy, containers: [{ name: 'main', image }] },
});
const selector = { matchLabels: labels };

describe('a pod', () => {
  it('with a name speaks for who makes it', async () => {
    const pod = await world.api.must(podsPath(), { method: 'POST', body: podBody('plain') }, ALICE);
    expect(pod.metadata?.annotations?.[ANNOTATION]).toBe('alice');
    expect(pod.metadata?.labels?.['kerbridge.dev/stamped']).toBe('true');
    expect(await world.stampOf(pod)).toMatchObject({
      namespace: TEAM,
      podName: 'plain',
      user: 'alice',
      requester: 'alice',
    });
  });

  it('without a name gets one that is in its stamp', async () => {
    const body = { ...podBody(''), metadata: { generateName: 'generated-' } };
    const pod = await world.api.must(podsPath(), { method: 'POST', body }, BOB);
    expect(pod.metadata?.name).toMatch(/^generated-[b-z2-9]{10}$/);
    expect(await world.stampOf(pod)).toMatchObject({ podName: pod.metadata?.name, user: 'bob' });
  });

  it('with an annotation of its own speaks for who makes it all the same', async () => {
    const body = podBody('preset', { annotations: { [ANNOTATION]: 'alice' } });
    const pod = await world.api.must(podsPath(), { method: 'POST', body }, BOB);
    expect(await world.stampOf(pod)).toMatchObject({ user: 'bob' });
  });

  it('in another namespace is not touched', async () => {
    const pod = await world.api.must(podsPath(OTHERS), { method: 'POST', body: podBody('plain') }, ALICE);
    expect(pod.metadata?.annotations ?? {}).not.toHaveProperty([ANNOTATION]);
  });

  it.each([
    ['system:nobody-in-particular', /"system:nobody-in-particular" .* create the object as a user/],
    ['system:serviceaccount:team:default', /did not show a token of its own/],
    ['Alice@EXAMPLE.COM', /it is not known which Hadoop user/],
  ])('of %s, who is nobody, is refused with what to do', async (user, text) => {
    const requester = { user, groups: ['system:masters'] };
    const { status, body } = await world.api.call(
      podsPath(),
      { method: 'POST', body: podBody('of-nobody') },
      requester,
    );
    expect({ status, message: body.message }).toMatchObject({
      status: 403,
      message: expect.stringMatching(text),
    });
  });
});

interface Workload {
  readonly kind: string;
  readonly path: string;
  readonly spec: object;
  readonly pods: number;
  readonly by: string;
}

const WORKLOADS: readonly Workload[] = [
  {
    kind: 'Deployment',
    path: 'apps/v1',
    spec: { replicas: 2, selector, template: template() },
    pods: 2,
    by: 'replicaset-controller',
  },
  {
    kind: 'StatefulSet',
    path: 'apps/v1',
    spec: { replicas: 1, serviceName: 'none', selector, template: template() },
    pods: 1,
    by: 'statefulset-controller',
  },
  {
    kind: 'DaemonSet',
    path: 'apps/v1',
    spec: { selector, template: template() },
    pods: 1,
    by: 'daemon-set-controller',
  },
  {
    kind: 'Job',
    path: 'batch/v1',
    spec: { completionMode: 'Indexed', completions: 2, parallelism: 2, template: template('Never') },
    pods: 2,
    by: 'job-controller',
  },
];

const workloadPath = ({ kind, path }: Pick<Workload, 'kind' | 'path'>, name = ''): string =>
  `/apis/${path}/namespaces/${TEAM}/${kind.toLowerCase()}s${name === '' ? '' : `/${name}`}`;

async function podsUp(prefix: string, count: number): Promise<readonly ApiObject[]> {
  await until(`${count} pods of ${prefix}`, async () => (await world.podsOf(prefix)).length >= count);
  return await world.podsOf(prefix);
}

describe('pods of a workload', () => {
  it.each(WORKLOADS)('$kind speak for who wrote it', async (workload) => {
    const name = `of-${workload.kind.toLowerCase()}`;
    await world.api.must(
      workloadPath(workload),
      { method: 'POST', body: { metadata: { name }, spec: workload.spec } },
      ALICE,
    );
    for (const pod of await podsUp(`${name}-`, workload.pods)) {
      expect(await world.stampOf(pod)).toMatchObject({
        user: 'alice',
        podName: pod.metadata?.name,
        requester: `system:serviceaccount:kube-system:${workload.by}`,
      });
    }
  });

  it('of a CronJob’s Job speak for who wrote the CronJob', async () => {
    const spec = { schedule: '* * * * *', jobTemplate: { spec: { template: template('Never') } } };
    const path = workloadPath({ kind: 'CronJob', path: 'batch/v1' });
    await world.api.must(path, { method: 'POST', body: { metadata: { name: 'cron' }, spec } }, ALICE);
    // As if the last minute had been missed: nobody waits for the next one.
    const status = { lastScheduleTime: new Date(Date.now() - 90_000).toISOString() };
    await world.api.must(`${path}/cron/status`, { method: 'PATCH', kind: 'merge', body: { status } });
    const [pod = {}] = await podsUp('cron-', 1);
    expect(await world.stampOf(pod)).toMatchObject({ user: 'alice' });
  });
});

describe('a Deployment of alice’s', () => {
  const path = workloadPath({ kind: 'Deployment', path: 'apps/v1' }, 'shared');
  const sets = async (): Promise<number> => {
    const list = (await world.api.must(`/apis/apps/v1/namespaces/${TEAM}/replicasets`, {
      method: 'GET',
    })) as { items?: readonly ApiObject[] };
    return (list.items ?? []).filter(({ metadata }) => metadata?.name?.startsWith('shared-')).length;
  };
  const merge = (body: object) => ({ method: 'PATCH', kind: 'merge', body }) as const;
  const strategic = (image: string) =>
    ({
      method: 'PATCH',
      kind: 'strategic',
      body: { spec: { template: { spec: { containers: [{ name: 'main', image }] } } } },
    }) as const;

  /** Until its controller has seen all that was written so far: this is written last, and rolls nothing out. */
  const settled = async (revisionHistoryLimit: number): Promise<ApiObject> => {
    const { metadata } = await world.api.must(path, merge({ spec: { revisionHistoryLimit } }), BOB);
    const read = (): Promise<ApiObject> => world.api.must(path, { method: 'GET' });
    const seen = async (): Promise<unknown> =>
      ((await read())['status'] as { observedGeneration?: number } | undefined)?.observedGeneration;
    await until('its controller has seen it', async () => (await seen()) === metadata?.['generation']);
    return await read();
  };
  const templateOf = ({ spec }: ApiObject): { metadata: object } =>
    (spec as { template: { metadata: object } }).template;
  const uidsNow = async (): Promise<ReadonlySet<unknown>> =>
    new Set((await world.podsOf('shared-')).map(({ metadata }) => metadata?.uid));
  async function freshPods(before: ReadonlySet<unknown>): Promise<readonly ApiObject[]> {
    const fresh = async (): Promise<readonly ApiObject[]> =>
      (await world.podsOf('shared-')).filter(({ metadata }) => !before.has(metadata?.uid));
    await until('a new pod', async () => (await fresh()).length > 0);
    return await fresh();
  }
  const imageOf = ({ spec }: ApiObject): unknown =>
    (spec as { containers: readonly { image?: string }[] }).containers[0]?.image;

  it('is not rolled out when bob touches it, nor when he takes the stamp away', async () => {
    const spec = { replicas: 1, selector, template: template() };
    const body = { metadata: { name: 'shared' }, spec };
    const made = await world.api.must(path.replace('/shared', ''), { method: 'POST', body }, ALICE);
    await podsUp('shared-', 1);
    for (const touch of ['one', 'two', 'three'])
      await world.api.must(path, merge({ metadata: { labels: { touch } } }), BOB);
    await world.api.must(path, merge({ spec: { template: { metadata: { annotations: null } } } }), BOB);
    const stored = await settled(5);
    expect(stored.metadata?.labels).toMatchObject({ touch: 'three' });
    expect(templateOf(stored).metadata).toMatchObject({ annotations: { [ANNOTATION]: 'alice' } });
    // With the stamp, byte for byte.
    expect(templateOf(stored)).toEqual(templateOf(made));
    expect(await sets()).toBe(1);
  });

  it('stays alice’s when bob restarts it', async () => {
    const before = await uidsNow();
    const restart = {
      spec: { template: { metadata: { annotations: { 'kubectl.kubernetes.io/restartedAt': 'now' } } } },
    };
    await world.api.must(path, merge(restart), BOB);
    for (const pod of await freshPods(before)) {
      expect(pod.metadata?.annotations).toMatchObject({ 'kubectl.kubernetes.io/restartedAt': 'now' });
      expect(await world.stampOf(pod)).toMatchObject({ user: 'alice' });
    }
    expect(await sets()).toBe(2);
  });

  it('runs no image of bob’s as alice', async () => {
    const { status, body } = await world.api.call(path, strategic('evil:1'), BOB);
    expect({ status, message: body.message }).toMatchObject({
      status: 403,
      message: expect.stringContaining('kerbridge.dev/claim'),
    });
  });

  it('becomes bob’s when he claims it', async () => {
    const before = await uidsNow();
    const body = {
      metadata: { annotations: { 'kerbridge.dev/claim': 'bob' } },
      spec: { template: { spec: { containers: [{ name: 'main', image: 'bobs:1' }] } } },
    };
    await world.api.must(path, { method: 'PATCH', kind: 'strategic', body }, BOB);
    expect((await freshPods(before)).map(imageOf)).toContain('bobs:1');
    await settled(6);
    for (const pod of await world.podsOf('shared-')) {
      const user = imageOf(pod) === 'bobs:1' ? 'bob' : 'alice';
      expect(await world.stampOf(pod)).toMatchObject({ user });
    }
  });

  it('is alice’s again by a claim alone, which rolls it out', async () => {
    const before = await uidsNow();
    const claim = merge({ metadata: { annotations: { 'kerbridge.dev/claim': 'alice' } } });
    await world.api.must(path, claim, ALICE);
    for (const pod of await freshPods(before))
      expect(await world.stampOf(pod)).toMatchObject({ user: 'alice' });
    const { metadata } = await world.api.must(path, { method: 'GET' });
    expect(metadata?.annotations ?? {}).not.toHaveProperty(['kerbridge.dev/claim']);
  });
});

describe('who reaches into a pod of alice’s', () => {
  const pod = podsPath() + '/plain';
  it.each([
    [
      'another image',
      pod,
      {
        method: 'PATCH',
        kind: 'strategic',
        body: { spec: { containers: [{ name: 'main', image: 'evil:1' }] } },
      },
    ],
    [
      'an ephemeral container',
      `${pod}/ephemeralcontainers`,
      {
        method: 'PATCH',
        kind: 'strategic',
        body: { spec: { ephemeralContainers: [{ name: 'debug', image: 'evil:1' }] } },
      },
    ],
    ['exec', `${pod}/exec?command=id&stdout=true`, { method: 'GET' }],
    ['attach', `${pod}/attach?stdout=true`, { method: 'GET' }],
    ['portforward', `${pod}/portforward?ports=80`, { method: 'GET' }],
    ['proxy', `${pod}/proxy`, { method: 'GET' }],
  ] as const)('is not bob: %s', async (_, path, write) => {
    const admin = { user: 'bob', groups: ['system:masters'] };
    const { status, body } = await world.api.call(path, write, admin);
    expect({ status, message: body.message }).toMatchObject({
      status: 403,
      message: expect.stringContaining('speaks for "alice"'),
    });
  });

  it('may be alice herself', async () => {
    const image = {
      method: 'PATCH',
      kind: 'strategic',
      body: { spec: { containers: [{ name: 'main', image: 'trainer:2' }] } },
    } as const;
    await world.api.must(pod, image, { user: 'alice', groups: ['system:masters'] });
  });
});
