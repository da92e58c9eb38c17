import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Reply, Requester, Write } from '../api-caller.ts';
import { parseManifests } from '../deploy/deploy-copy.ts';
import { until } from '../until.ts';
import { ForgeryWorld, KUBELET, NODE, OPT_IN, podSpec, STAMP, TENANT, unique } from './forgery-world.ts';
import { definition, OPEN } from './job-definitions.ts';

const { TEAM, OTHERS } = ForgeryWorld;
const template = { metadata: { labels: { app: 'train' } }, spec: podSpec() };
/** No pods: with the webhooks away none could be made. */
const deployment = { replicas: 0, selector: { matchLabels: { app: 'train' } }, template };
/** On no node. */
const daemonSet = {
  selector: { matchLabels: { app: 'train' } },
  template: { ...template, spec: podSpec({ nodeSelector: { nowhere: 'yes' } }) },
};
const job = { suspend: true, template: { spec: podSpec({ restartPolicy: 'Never' }) } };
const tfJob = { tfReplicaSpecs: { Worker: { template } } };

interface Row {
  readonly title: string;
  readonly write: Write;
  /** Of a pod: what follows its path. Of all else the whole path. */
  readonly ofPod?: string;
  readonly path?: string;
  readonly as?: Requester;
}

const workload = (namespace: string, api: string, plural: string): string =>
  `/apis/${api}/namespaces/${namespace}/${plural}`;
const post = (spec: object): Write => ({
  method: 'POST',
  body: { metadata: { name: `made-${unique()}` }, spec },
});
const postTfJob = (): Write => ({
  method: 'POST',
  body: { apiVersion: 'kubeflow.org/v1', kind: 'TFJob', metadata: { name: `made-${unique()}` }, spec: tfJob },
});
const merge = (body: object): Write => ({ method: 'PATCH', kind: 'merge', body });
const strategic = (body: object): Write => ({ method: 'PATCH', kind: 'strategic', body });
const label = merge({ metadata: { labels: { touched: 'yes' } } });
const otherImage = { containers: [{ name: 'main', image: 'other' }] };

const DEPLOYMENTS = workload(TEAM, 'apps/v1', 'deployments');
const TFJOBS = workload(TEAM, 'kubeflow.org/v1', 'tfjobs');

const ASKED: readonly Row[] = [
  { title: 'a pod', path: `/api/v1/namespaces/${TEAM}/pods`, write: post(podSpec()) },
  {
    title: 'a pod, as a dry run',
    path: `/api/v1/namespaces/${TEAM}/pods?dryRun=All`,
    write: post(podSpec()),
  },
  { title: 'a Deployment', path: DEPLOYMENTS, write: post(deployment) },
  { title: 'a ReplicaSet', path: workload(TEAM, 'apps/v1', 'replicasets'), write: post(deployment) },
  {
    title: 'a StatefulSet',
    path: workload(TEAM, 'apps/v1', 'statefulsets'),
    write: post({ ...deployment, serviceName: 'none' }),
  },
  { title: 'a DaemonSet', path: workload(TEAM, 'apps/v1', 'daemonsets'), write: post(daemonSet) },
  {
    title: 'a ReplicationController',
    path: `/api/v1/namespaces/${TEAM}/replicationcontrollers`,
    write: post({ ...deployment, selector: { app: 'train' } }),
  },
  {
    title: 'a PodTemplate',
    path: `/api/v1/namespaces/${TEAM}/podtemplates`,
    write: { method: 'POST', body: { metadata: { name: `made-${unique()}` }, template } },
  },
  { title: 'a Job', path: workload(TEAM, 'batch/v1', 'jobs'), write: post(job) },
  {
    title: 'a CronJob',
    path: workload(TEAM, 'batch/v1', 'cronjobs'),
    write: post({ schedule: '0 0 1 1 *', jobTemplate: { spec: job } }),
  },
  { title: 'a TFJob', path: TFJOBS, write: postTfJob() },
  { title: 'another image of a pod', ofPod: '', write: strategic({ spec: otherImage }) },
  {
    title: 'an ephemeral container',
    ofPod: '/ephemeralcontainers',
    write: strategic({ spec: { ephemeralContainers: [{ name: 'debug', image: 'none' }] } }),
  },
  { title: 'exec', ofPod: '/exec?command=id&stdout=true', write: { method: 'GET' } },
  { title: 'attach', ofPod: '/attach?stdout=true', write: { method: 'GET' } },
  { title: 'portforward', ofPod: '/portforward?ports=80', write: { method: 'GET' } },
  { title: 'proxy', ofPod: '/proxy', write: { method: 'GET' } },
  {
    title: 'another image in a Deployment',
    path: `${DEPLOYMENTS}/there`,
    write: strategic({ spec: { template: { spec: otherImage } } }),
  },
  {
    title: 'another command in a TFJob',
    path: `${TFJOBS}/there`,
    write: merge({ spec: { tfReplicaSpecs: { Worker: { template: { spec: { hostname: 'x' } } } } } }),
  },
  {
    title: 'a template stamp on a TFJob itself, where that of a Notebook is',
    path: `${TFJOBS}/there`,
    write: merge({ metadata: { annotations: { 'kerbridge.dev/template-stamp': 'of-a-template' } } }),
  },
];

const NOT_ASKED: readonly Row[] = [
  {
    title: 'the status of a pod, by its kubelet',
    ofPod: '/status',
    write: strategic({ status: { phase: 'Running' } }),
    as: KUBELET,
  },
  { title: 'a label of a pod', ofPod: '', write: label },
  { title: 'a finalizer of a pod', ofPod: '', write: merge({ metadata: { finalizers: [] } }) },
  { title: 'the deletion of a pod', ofPod: '', write: { method: 'DELETE' } },
  { title: 'a label of a Deployment', path: `${DEPLOYMENTS}/there`, write: label },
  {
    title: 'the scale of a Deployment',
    path: `${DEPLOYMENTS}/there/scale`,
    write: merge({ spec: { replicas: 0 } }),
  },
  {
    title: 'the status of a Deployment',
    path: `${DEPLOYMENTS}/there/status`,
    write: merge({ status: { observedGeneration: 1 } }),
  },
  { title: 'a label of a TFJob', path: `${TFJOBS}/there`, write: label },
  {
    title: 'the status of a TFJob, with the whole object',
    path: `${TFJOBS}/there`,
    write: merge({ status: { a: 1 } }),
  },
  { title: 'a ConfigMap', path: `/api/v1/namespaces/${TEAM}/configmaps`, write: post({}) },
  { title: 'a pod elsewhere', path: `/api/v1/namespaces/${OTHERS}/pods`, write: post(podSpec()) },
  {
    title: 'a Deployment elsewhere',
    path: workload(OTHERS, 'apps/v1', 'deployments'),
    write: post(deployment),
  },
  {
    title: 'a pod of kube-system, label or not',
    path: '/api/v1/namespaces/kube-system/pods',
    write: post(podSpec({ serviceAccountName: 'default' })),
  },
  {
    title: 'a pod of its own namespace, label or not',
    path: '/api/v1/namespaces/kerbridge/pods',
    write: post(podSpec()),
  },
];

describe('while decorate is away', () => {
  let world: ForgeryWorld;
  /** Made while nobody was asked: a new one for each attempt. */
  const pods: Awaited<ReturnType<ForgeryWorld['createPod']>>[] = [];
  let unbound: Awaited<ReturnType<ForgeryWorld['createPod']>>;

  beforeAll(async () => {
    world = await ForgeryWorld.open();
    const { api, kubectl } = world;
    await kubectl.must(['create', '--filename=-'], { input: JSON.stringify(TFJOB_DEFINITION) });
    await kubectl.must(['wait', '--for=condition=Established', '--timeout=30s', 'crd/tfjobs.kubeflow.org']);
    await world.createNamespace('kerbridge', { [OPT_IN]: 'enabled' });
    await api.must(
      '/api/v1/namespaces/kube-system',
      merge({ metadata: { labels: { [OPT_IN]: 'enabled' } } }),
    );
    await api.must(DEPLOYMENTS, { method: 'POST', body: { metadata: { name: 'there' }, spec: deployment } });
    const { body } = postTfJob() as { body: { metadata: object } };
    await api.must(TFJOBS, { method: 'POST', body: { ...body, metadata: { name: 'there' } } });
    const serviceAccountToken = { audience: 'kerbridge', expirationSeconds: 3600, path: 'token' };
    const volumes = [{ name: 'token', projected: { sources: [{ serviceAccountToken }] } }];
    const needed = [...ASKED, ...NOT_ASKED].filter(({ ofPod }) => ofPod !== undefined).length + 3;
    for (let count = 0; count < needed; count += 1) {
      pods.push(await world.createPod({ nodeName: NODE, spec: { volumes } }));
    }
    unbound = await world.createPod();
    const configurations = parseManifests(await world.render('decorate')).filter(({ kind }) =>
      kind.endsWith('WebhookConfiguration'),
    );
    expect(configurations).toHaveLength(2);
    for (const configuration of configurations) {
      await kubectl.must(['apply', '--server-side', '--filename=-'], {
        input: JSON.stringify(configuration),
      });
    }
    for (const row of [ASKED[0], ASKED.find(({ title }) => title === 'exec')]) {
      await until('the webhooks in force', async () => row !== undefined && (await run(row)).status === 500);
    }
  });

  afterAll(async () => {
    await world[Symbol.asyncDispose]();
  });

  function nextPod() {
    const [pod] = pods;
    if (pod === undefined) throw new Error('too few pods were made');
    pods.push(...pods.splice(0, 1));
    return pod;
  }

  const run = ({ ofPod, path = '', write, as = TENANT }: Row): Promise<Reply> =>
    world.api.call(ofPod === undefined ? path : `${nextPod().path}${ofPod}`, write, as);

  it.each(ASKED)('refused: $title', async (row) => {
    const { status, body } = await run(row);
    expect({ status, message: body.message }).toEqual({
      status: 500,
      message: expect.stringMatching(/failed calling webhook "[a-z-]+\.(decorate|guard)\.kerbridge\.dev"/),
    });
  });

  it.each(NOT_ASKED)('goes on: $title', async (row) => {
    const { status, body } = await run(row);
    expect(status < 300 ? undefined : `${status} ${body.message}`).toBeUndefined();
  });

  it('goes on: the scheduler binds a pod', async () => {
    const target = { apiVersion: 'v1', kind: 'Node', name: NODE };
    const body = { apiVersion: 'v1', kind: 'Binding', metadata: { name: unbound.name }, target };
    expect((await world.api.call(`${unbound.path}/binding`, { method: 'POST', body })).status).toBe(201);
  });

  it('goes on: an eviction, so that nodes are drained', async () => {
    const { name, path } = nextPod();
    const body = { metadata: { name } };
    expect((await world.api.call(`${path}/eviction`, { method: 'POST', body })).status).toBe(201);
  });

  it('goes on: the token of a pod is refreshed by its kubelet', async () => {
    const { name, uid } = nextPod();
    const boundObjectRef = { apiVersion: 'v1', kind: 'Pod', name, uid };
    const spec = { audiences: ['kerbridge'], expirationSeconds: 3600, boundObjectRef };
    const path = `/api/v1/namespaces/${TEAM}/serviceaccounts/trainer/token`;
    const { status } = await world.api.call(path, { method: 'POST', body: { spec } }, KUBELET);
    expect(status).toBe(201);
  });

  it('the policies hold: another stamp through the status', async () => {
    const annotations = { [STAMP]: 'stamp-of-bob' };
    const path = `${nextPod().path}/status`;
    const { status, body } = await world.api.call(path, merge({ metadata: { annotations } }), KUBELET);
    expect(status).toBe(403);
    expect(body.message).toContain("ValidatingAdmissionPolicy 'kerbridge-stamp-immutable'");
  });

  // Last: they are gone after it.
  describe('and so are its webhooks', () => {
    beforeAll(async () => {
      for (const kind of ['mutating', 'validating'])
        await world.api.must(
          `/apis/admissionregistration.k8s.io/v1/${kind}webhookconfigurations/kerbridge-decorate`,
          { method: 'DELETE' },
        );
      for (const row of [ASKED[0], ASKED.find(({ title }) => title === 'exec')])
        await until(
          'nobody is asked',
          async () => row !== undefined && !isAway((await run(row)).body.message),
        );
    });

    it.each(ASKED)('nothing else stops: $title', async (row) => {
      const fresh = 'body' in row.write ? renamed(row.write) : row.write;
      const { status, body } = await run({ ...row, write: fresh });
      // No kubelet is there to connect to.
      if (row.write.method === 'GET') expect(body.message).toMatch(/no preferred addresses found|address/);
      else expect(status < 300 ? undefined : `${status} ${body.message}`).toBeUndefined();
    });
  });
});

const isAway = (message = ''): boolean => message.includes('failed calling webhook');

/** What was made while it was tried out has its name already. */
function renamed(write: Write): Write {
  if (write.method !== 'POST') return write;
  const { metadata, ...rest } = write.body as { metadata: object };
  return { ...write, body: { ...rest, metadata: { ...metadata, name: `made-${unique()}` } } };
}

// Without the subresource "status": its operator writes the whole object.
const TFJOB_DEFINITION = definition('kubeflow.org', 'TFJob', OPEN);
