import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { systemClock } from '../../../src/time/clock.ts';
import type { ApiObject, Requester } from '../api-caller.ts';
import { definition, OPEN } from '../forgery/job-definitions.ts';
import { tokenOf } from '../forgery/webhook-trials.ts';
import { runPod } from '../run-pod.ts';
import type { ServeProcess } from '../serve-process.ts';
import { AUDIENCE } from '../serve/serve-world.ts';
import { grantClusterRole } from '../cluster-role.ts';
import { until } from '../until.ts';
import { ALICE, ANNOTATION, BOB, type DecorateWorld, podsPath, TEAM } from './decorate-world.ts';
import { ask, hadoopPodSpec, HdfsWorld, ownersIn } from './hdfs-world.ts';

const NODE = 'worker-1';
const DRIVER = { namespace: TEAM, name: 'driver' };
const HUB = { namespace: 'platform', name: 'hub' };
const OPERATOR = { namespace: 'platform', name: 'operator' };

let hdfs: HdfsWorld;
let world: DecorateWorld;
let serve: ServeProcess;
/** May name alice and bob. */
let hub: Requester;
/** A trusted controller. */
let operator: Requester;

beforeAll(async () => {
  hdfs = await HdfsWorld.open();
  world = hdfs.decorated;
  const { api } = world;
  await world.define(definition('kubeflow.org', 'TFJob', OPEN));
  await world.createNamespace('platform');
  for (const { namespace, name } of [DRIVER, HUB, OPERATOR])
    await api.must(`/api/v1/namespaces/${namespace}/serviceaccounts`, {
      method: 'POST',
      body: { metadata: { name } },
    });
  // Not all verbs: among them would be keep-identity.
  const verbs = ['get', 'list', 'create', 'update', 'patch', 'delete'];
  const rules = [
    { apiGroups: [''], resources: ['pods'], verbs },
    { apiGroups: ['kubeflow.org'], resources: ['tfjobs'], verbs },
  ];
  const subjects = [
    ...[DRIVER, HUB, OPERATOR].map((account) => ({ kind: 'ServiceAccount', ...account })),
    { kind: 'Group', name: 'analysts', apiGroup: 'rbac.authorization.k8s.io' },
  ];
  await grantClusterRole(api, 'makes-pods', { rules, subjects });
  hub = await tokenOf(world, HUB);
  operator = await tokenOf(world, OPERATOR);

  await world.startWithRequesters({
    trustedControllers: ['builtin', operator.user],
    delegates: [{ account: hub.user, users: ['alice', 'bob'], namespaces: [TEAM] }],
    otherRequesters: 'themselves',
  });
  const keysFile = join(world.folder, 'stamp-keys.json');
  await writeFile(keysFile, await hdfs.publishedKeys());
  serve = await hdfs.serve(keysFile);
});
afterAll(async () => {
  await hdfs[Symbol.asyncDispose]();
});

/** Makes it as the user, and resolves to its pods. */
type Make = (as: Requester, name: string) => Promise<readonly ApiObject[]>;

interface Row {
  readonly what: string;
  readonly make: Make;
  /** As the stamp names it. */
  readonly requester: (user: string) => string;
  readonly serviceAccount?: string;
}

const controller = (name: string) => (): string => `system:serviceaccount:kube-system:${name}`;

async function podsUp(prefix: string, count: number): Promise<readonly ApiObject[]> {
  await until(`${count} pods of ${prefix}`, async () => (await world.podsOf(prefix)).length === count);
  return await world.podsOf(prefix);
}

/** A built-in workload, by its path and what is in its spec beside the template. */
const workload =
  (api: string, spec: object, { restartPolicy = 'Always', count = 1 } = {}): Make =>
  async (as, name) => {
    const labels = { app: name };
    const template = { metadata: { labels }, spec: hadoopPodSpec({ restartPolicy }) };
    const selector = restartPolicy === 'Always' ? { selector: { matchLabels: labels } } : {};
    const body = { metadata: { name }, spec: { ...selector, ...spec, template } };
    const [group = '', plural = ''] = api.split(' ');
    await world.api.must(`/apis/${group}/namespaces/${TEAM}/${plural}`, { method: 'POST', body }, as);
    return await podsUp(`${name}-`, count);
  };

const cronJob: Make = async (as, name) => {
  const jobTemplate = { spec: { template: { spec: hadoopPodSpec({ restartPolicy: 'Never' }) } } };
  const body = { metadata: { name }, spec: { schedule: '* * * * *', jobTemplate } };
  const path = `/apis/batch/v1/namespaces/${TEAM}/cronjobs`;
  await world.api.must(path, { method: 'POST', body }, as);
  // As if the last minute had been missed: nobody waits for the next one.
  const status = { lastScheduleTime: new Date(systemClock.now() - 90_000).toISOString() };
  await world.api.must(`${path}/${name}/status`, { method: 'PATCH', kind: 'merge', body: { status } });
  const pods = await podsUp(`${name}-`, 1);
  await world.api.must(`${path}/${name}`, {
    method: 'PATCH',
    kind: 'merge',
    body: { spec: { suspend: true } },
  });
  return pods;
};

const post = (as: Requester, metadata: object, change: object = {}): Promise<ApiObject> =>
  world.api.must(podsPath(), { method: 'POST', body: { metadata, spec: hadoopPodSpec(change) } }, as);

/** A Spark driver that makes its executor. */
const byPod: Make = async (as, name) => {
  const driver = await post(as, { name }, { serviceAccountName: DRIVER.name, nodeName: NODE });
  const ofDriver = await tokenOf(world, DRIVER, driver);
  return [await post(ofDriver, { generateName: `${name}-exec-` })];
};

const byDelegate: Make = async ({ user }, name) => [
  await post(hub, { name, annotations: { [ANNOTATION]: user } }),
];

const tfJob: Make = async (as, name) => {
  const spec = { tfReplicaSpecs: { Worker: { template: { spec: hadoopPodSpec() } } } };
  const body = { apiVersion: 'kubeflow.org/v1', kind: 'TFJob', metadata: { name }, spec };
  const path = `/apis/kubeflow.org/v1/namespaces/${TEAM}/tfjobs`;
  const job = await world.api.must(path, { method: 'POST', body }, as);
  const { tfReplicaSpecs } = job['spec'] as {
    tfReplicaSpecs: { Worker: { template: { metadata: { annotations: object } } } };
  };
  const { annotations } = tfReplicaSpecs.Worker.template.metadata;
  const owner = {
    apiVersion: 'kubeflow.org/v1',
    kind: 'TFJob',
    name,
    uid: job.metadata?.uid,
    controller: true,
  };
  return [await post(operator, { generateName: `${name}-`, annotations, ownerReferences: [owner] })];
};

const ROWS: readonly Row[] = [
  {
    what: 'a StatefulSet',
    make: workload('apps/v1 statefulsets', { replicas: 1, serviceName: 'none' }),
    requester: controller('statefulset-controller'),
  },
  {
    what: 'a DaemonSet',
    make: workload('apps/v1 daemonsets', {}),
    requester: controller('daemon-set-controller'),
  },
  {
    what: 'an Indexed Job',
    make: workload(
      'batch/v1 jobs',
      { completionMode: 'Indexed', completions: 2, parallelism: 2 },
      { restartPolicy: 'Never', count: 2 },
    ),
    requester: controller('job-controller'),
  },
  { what: 'a CronJob', make: cronJob, requester: controller('job-controller') },
  { what: 'a pod by another pod', make: byPod, requester: () => `system:serviceaccount:${TEAM}:driver` },
  { what: 'a pod by a delegate', make: byDelegate, requester: () => hub.user },
  { what: 'a TFJob', make: tfJob, requester: () => operator.user },
];

describe.each(ROWS)('each pod of $what', ({ what, make, requester }) => {
  it.each([
    ['alice', ALICE],
    ['bob', BOB],
  ])('of %s gets the HDFS token of that user', async (user, as) => {
    const pods = await make(as, `${what.replaceAll(/\W+/g, '-').toLowerCase()}-of-${user}`);
    for (const pod of pods) {
      const serviceAccountToken = await runPod(world.api, pod, { node: NODE, audience: AUDIENCE });
      const answer = await ask(serve, serviceAccountToken);
      const line = await serve.auditLineOf(answer.json['requestId'] ?? answer.headers.get('x-request-id'));
      expect(line).toMatchObject({ decision: 'allowed', user, requester: requester(user) });
      expect(answer).toMatchObject({ status: 200, json: { owner: user } });
      expect([...new Set(ownersIn(answer))]).toEqual([user]);
    }
  });
});

describe('a pod gets no token', () => {
  it.each<readonly [string, () => Promise<ApiObject>]>([
    [
      'that a trusted controller has made for nothing that is stamped',
      () => post(operator, { name: 'unowned', annotations: { [ANNOTATION]: 'alice' } }),
    ],
  ])('%s', async (_, make) => {
    const answer = await ask(serve, await hdfs.run(await make()));
    expect(answer).toMatchObject({ status: 403, json: { code: 'not-allowed' } });
    expect(answer.json).not.toHaveProperty('credentials');
  });
});
