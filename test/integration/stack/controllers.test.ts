import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { systemClock } from '../../../src/time/clock.ts';
import { findMarkedProcesses } from '../../stack/processes.ts';
import { controllerAccounts } from '../../stack/settings.ts';
import { down, readStack, status, upKubernetes } from '../../stack/stack.ts';
import { openApi } from '../api-caller.ts';
import type { ApiCaller, ApiObject } from '../api-caller.ts';
import { temporaryFolder } from '../hadoop/hdfs-token-service.ts';
import { createReadyNode } from '../ready-node.ts';
import { until } from '../until.ts';

const quiet = () => undefined;
const NODE = 'worker-1';
const NAMESPACE = 'team';
const MADE_BY = 'test.example.com/made-by';
const EXTRA = 'test.example.com/extra';

const labels = { app: 'train' };
const spec = { restartPolicy: 'Always', containers: [{ name: 'main', image: 'none' }] };
const template = { metadata: { labels, annotations: { 'team.example.com/note': 'of the template' } }, spec };
const selector = { matchLabels: labels };
const once = { ...template, spec: { ...spec, restartPolicy: 'Never' } };

interface Workload {
  readonly kind: string;
  readonly api: string;
  readonly plural: string;
  readonly spec: object;
  /** Of pods. */
  readonly pods: number;
  /** The service account that makes the pods, and that which makes what makes them. */
  readonly account: string;
  readonly ownerAccount?: string;
}

const WORKLOADS: readonly Workload[] = [
  {
    kind: 'Deployment',
    api: 'apis/apps/v1',
    plural: 'deployments',
    spec: { replicas: 2, selector, template },
    pods: 2,
    account: 'replicaset-controller',
    ownerAccount: 'deployment-controller',
  },
  {
    kind: 'StatefulSet',
    api: 'apis/apps/v1',
    plural: 'statefulsets',
    spec: { replicas: 2, podManagementPolicy: 'Parallel', serviceName: 'none', selector, template },
    pods: 2,
    account: 'statefulset-controller',
  },
  {
    kind: 'DaemonSet',
    api: 'apis/apps/v1',
    plural: 'daemonsets',
    spec: { selector, template },
    pods: 1,
    account: 'daemon-set-controller',
  },
  {
    kind: 'Job, Indexed',
    api: 'apis/batch/v1',
    plural: 'jobs',
    spec: { completionMode: 'Indexed', completions: 3, parallelism: 3, template: once },
    pods: 3,
    account: 'job-controller',
  },
  {
    kind: 'CronJob',
    api: 'apis/batch/v1',
    plural: 'cronjobs',
    spec: { schedule: '* * * * *', jobTemplate: { spec: { template: once } } },
    pods: 1,
    account: 'job-controller',
    ownerAccount: 'cronjob-controller',
  },
  {
    kind: 'ReplicationController',
    api: 'api/v1',
    plural: 'replicationcontrollers',
    spec: { replicas: 2, selector: labels, template },
    pods: 2,
    account: 'replication-controller',
  },
];

// A Kubernetes of its own: elsewhere nobody wants these controllers.
describe.each(controllerAccounts)('controllers with %s credentials', (accounts) => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let dir: string;
  let api: ApiCaller;

  const list = async (path: string): Promise<readonly ApiObject[]> =>
    ((await api.must(path, { method: 'GET' })) as ApiObject & { items: readonly ApiObject[] }).items;
  const expectedUser = (account: string): string =>
    accounts === 'own' ? `system:serviceaccount:kube-system:${account}` : 'system:kube-controller-manager';

  beforeAll(async () => {
    folder = await temporaryFolder();
    dir = join(folder.path, 'stack');
    const stack = await upKubernetes({ dir, progress: quiet, controllers: accounts });
    expect(stack.kubernetes.controllers).toBe(accounts);
    api = await openApi(stack.kubernetes);
    await api.must('/api/v1/namespaces', { method: 'POST', body: { metadata: { name: NAMESPACE } } });
    await createReadyNode(api, NODE);
    await recordWhoCreates(api);
  });

  afterAll(async () => {
    api.close();
    await down({ dir, progress: quiet });
    await folder[Symbol.asyncDispose]();
  });

  it('is one healthy process that status knows', async () => {
    const { parts } = await status({ dir });
    expect(parts.find(({ part }) => part === 'kube-controller-manager')).toMatchObject({ state: 'up' });
    const processes = await findMarkedProcesses(dir);
    expect(processes.filter(({ part }) => part === 'kube-controller-manager')).toHaveLength(1);
    // Of a stack without Hadoop the rest is missing, and this is not among it.
    await expect(readStack(dir)).rejects.toThrow(/lacks kdc, hdfs:/);
  });

  it.each(WORKLOADS)('$kind: its pods are made by $account', async (workload) => {
    const name = workload.kind.toLowerCase().replaceAll(/\W+/g, '-');
    const path = `/${workload.api}/namespaces/${NAMESPACE}/${workload.plural}`;
    await api.must(path, { method: 'POST', body: { metadata: { name }, spec: workload.spec } });
    if (workload.kind === 'CronJob') await pretendItWasDue(api, `${path}/${name}`);
    const pods = async () =>
      (await list(`/api/v1/namespaces/${NAMESPACE}/pods`)).filter(({ metadata }) =>
        metadata?.name?.startsWith(`${name}-`),
      );
    await until(
      `${workload.pods} pods of ${workload.kind}`,
      async () => (await pods()).length === workload.pods,
    );
    for (const { metadata } of await pods()) {
      expect(metadata?.annotations).toMatchObject({
        [MADE_BY]: expectedUser(workload.account),
        [EXTRA]: accounts === 'own' ? 'authentication.kubernetes.io/credential-id' : '',
        'team.example.com/note': 'of the template',
      });
    }
    if (workload.ownerAccount !== undefined) {
      const owners = [
        ...(await list(`/apis/apps/v1/namespaces/${NAMESPACE}/replicasets`)),
        ...(await list(`/apis/batch/v1/namespaces/${NAMESPACE}/jobs`)),
      ].filter(({ metadata }) => metadata?.name?.startsWith(`${name}-`));
      expect(owners.map(({ metadata }) => metadata?.annotations?.[MADE_BY])).toEqual([
        expectedUser(workload.ownerAccount),
      ]);
    }
  });

  it('makes the accounts of namespaces, fills aggregated roles, and ends namespaces', async () => {
    const account = `/api/v1/namespaces/${NAMESPACE}/serviceaccounts/default`;
    expect((await api.call(account, { method: 'GET' })).status).toBe(200);
    const edit = await api.must('/apis/rbac.authorization.k8s.io/v1/clusterroles/edit', { method: 'GET' });
    expect(JSON.stringify(edit)).toContain('serviceaccounts/token');
    await api.must(`/api/v1/namespaces/${NAMESPACE}`, { method: 'DELETE' });
    await until('the end of the namespace', async () => {
      return (await api.call(`/api/v1/namespaces/${NAMESPACE}`, { method: 'GET' })).status === 404;
    });
  });
});

/** The API server itself writes down whom it takes the creator for: an admission policy can, and needs no webhook. */
async function recordWhoCreates(api: ApiCaller): Promise<void> {
  const name = 'who-creates';
  const extra = "string(request.userInfo.?extra.orValue({}).map(key, key).join(','))";
  const expression =
    'Object{metadata: Object.metadata{annotations: ' +
    `{"${MADE_BY}": request.userInfo.username, "${EXTRA}": ${extra}}}}`;
  const rule = (apiGroup: string, resources: readonly string[]): object => ({
    apiGroups: [apiGroup],
    apiVersions: ['*'],
    operations: ['CREATE'],
    resources,
  });
  const group = '/apis/admissionregistration.k8s.io/v1';
  await api.must(`${group}/mutatingadmissionpolicies`, {
    method: 'POST',
    body: {
      metadata: { name },
      spec: {
        matchConstraints: {
          resourceRules: [rule('', ['pods']), rule('apps', ['replicasets']), rule('batch', ['jobs'])],
        },
        reinvocationPolicy: 'Never',
        mutations: [{ patchType: 'ApplyConfiguration', applyConfiguration: { expression } }],
      },
    },
  });
  const binding = { metadata: { name }, spec: { policyName: name } };
  await api.must(`${group}/mutatingadmissionpolicybindings`, { method: 'POST', body: binding });
  await until('the policy in force', async () => {
    const pods = `/api/v1/namespaces/${NAMESPACE}/pods?dryRun=All`;
    const { body } = await api.call(pods, { method: 'POST', body: { metadata: { name: 'try' }, spec } });
    return body.metadata?.annotations?.[MADE_BY] === 'admin';
  });
}

/** A CronJob runs when the minute is full, or at once what it missed since it ran last. */
async function pretendItWasDue(api: ApiCaller, path: string): Promise<void> {
  const lastScheduleTime = new Date(systemClock.now() - 90_000).toISOString();
  const body = { status: { lastScheduleTime } };
  await api.must(`${path}/status`, { method: 'PATCH', kind: 'merge', body });
}
