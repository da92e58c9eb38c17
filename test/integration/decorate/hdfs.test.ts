import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { parsePrivateKeys } from '../../../src/identity/stamps/read-stamp-keys.ts';
import {
  formatPrivateKeys,
  formatPublicKeys,
  newSigningKey,
  publicKeysOf,
  type StampSigningKey,
} from '../../../src/identity/stamps/stamp-keys.ts';
import { type HdfsControl, hdfsControl, runHadoopFs } from '../../stack/stack.ts';
import type { ApiObject, Requester } from '../api-caller.ts';
import type { ServeProcess } from '../serve-process.ts';
import { until } from '../until.ts';
import { ALICE, ANNOTATION, BOB, OTHERS, podsPath, TEAM } from './decorate-world.ts';
import { ask, hadoopPodSpec, HdfsWorld, ownersIn } from './hdfs-world.ts';

const REPLICA_SETS = 'system:serviceaccount:kube-system:replicaset-controller';
const STAMP = 'kerbridge.dev/stamp';

let world: HdfsWorld;
let control: HdfsControl;
let keysFile: string;
let serve: ServeProcess;

beforeAll(async () => {
  world = await HdfsWorld.open();
  control = hdfsControl(world.stack.hdfs);
  await control.reset();
  keysFile = join(world.decorated.folder, 'stamp-keys.json');
  await writeFile(keysFile, await world.publishedKeys());
  serve = await world.serve(keysFile);
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

const createPod = async (metadata: object, as: Requester, namespace = TEAM): Promise<ApiObject> =>
  await world.decorated.api.must(
    podsPath(namespace),
    { method: 'POST', body: { metadata, spec: hadoopPodSpec() } },
    as,
  );

const deploymentsPath = (namespace = TEAM): string => `/apis/apps/v1/namespaces/${namespace}/deployments`;

async function createDeployment(name: string, as: Requester, namespace = TEAM): Promise<ApiObject> {
  const labels = { app: name };
  const spec = {
    replicas: 1,
    selector: { matchLabels: labels },
    template: { metadata: { labels }, spec: hadoopPodSpec() },
  };
  const body = { metadata: { name }, spec };
  await world.decorated.api.must(deploymentsPath(namespace), { method: 'POST', body }, as);
  const find = () => world.decorated.podsOf(`${name}-`, namespace);
  await until(`a pod of ${name}`, async () => (await find()).length === 1);
  const [pod = {}] = await find();
  return pod;
}

describe('a pod gets the HDFS token of who made it', () => {
  it.each([
    ['a pod of alice’s', () => createPod({ name: 'plain' }, ALICE), 'alice', 'alice'],
    ['one whose name is generated', () => createPod({ generateName: 'made-' }, ALICE), 'alice', 'alice'],
    ['a pod of bob’s', () => createPod({ name: 'of-bob' }, BOB), 'bob', 'bob'],
    [
      'one of bob’s that says it is alice’s',
      () => createPod({ name: 'preset', annotations: { [ANNOTATION]: 'alice' } }, BOB),
      'bob',
      'bob',
    ],
    ['a Deployment of alice’s', () => createDeployment('trained', ALICE), 'alice', REPLICA_SETS],
    ['a Deployment of bob’s', () => createDeployment('served', BOB), 'bob', REPLICA_SETS],
  ])('%s', async (_, create, user, requester) => {
    const pod = await create();
    const answer = await ask(serve, await world.run(pod));
    const line = await serve.auditLineOf(answer.json['requestId'] ?? answer.headers.get('x-request-id'));
    expect(line).toMatchObject({ decision: 'allowed', user, requester });
    expect(answer).toMatchObject({ status: 200, json: { owner: user } });
    expect([...new Set(ownersIn(answer))]).toEqual([user]);
  });

  it('with which the Java client is that user, and nobody else', async () => {
    const pod = await createPod({ name: 'lists' }, ALICE);
    const { json } = await ask(serve, await world.run(pod));
    const tokenFile = join(world.decorated.folder, 'hdfs.token');
    await writeFile(tokenFile, Buffer.from(String(json['credentials']), 'base64'), { mode: 0o600 });
    const { confDir } = world.stack.hdfs;
    const listed = await runHadoopFs(world.stack, {
      confDir,
      tokenFile,
      args: ['-ls', '/user/alice', '/user/bob'],
    });
    expect(listed.stdout).toContain('/user/alice/');
    expect(listed.stderr).toContain('Permission denied: user=alice');
  });
});

describe('a pod gets nothing', () => {
  it.each([
    [
      'that was made before its namespace opted in, by the annotation it came with',
      'stamp-unsigned',
      async () => {
        const { api } = world.decorated;
        await world.decorated.createNamespace('late');
        const body = {
          metadata: { name: 'early', annotations: { [ANNOTATION]: 'alice' } },
          spec: hadoopPodSpec(),
        };
        const pod = await api.must(podsPath('late'), { method: 'POST', body });
        const label = { metadata: { labels: { iddecorator: 'enabled' } } };
        await api.must('/api/v1/namespaces/late', { method: 'PATCH', kind: 'merge', body: label });
        return pod;
      },
    ],
    [
      'where nobody opted in, by an annotation that bob wrote',
      'stamp-unsigned',
      () => createPod({ name: 'claims', annotations: { [ANNOTATION]: 'alice' } }, BOB, OTHERS),
    ],
    ['that says nothing of a user', 'no-stamp', () => createPod({ name: 'silent' }, BOB, OTHERS)],
    [
      'by the stamp of another pod, even where no policy keeps it out',
      'stamp-of-other-pod',
      async () => {
        const { annotations = {} } = (await createPod({ name: 'copied' }, ALICE)).metadata ?? {};
        expect(annotations).toHaveProperty([STAMP]);
        const body = { metadata: { name: 'copied', annotations }, spec: hadoopPodSpec() };
        const post = () => world.decorated.api.call(podsPath(OTHERS), { method: 'POST', body }, BOB);
        expect((await post()).status).toBe(403);
        const bindings = '/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings';
        await world.decorated.api.must(`${bindings}/kerbridge-stamp-origin`, { method: 'DELETE' });
        let made = await post();
        await until('a policy that is gone', async () => {
          if (made.status === 403) made = await post();
          return made.status === 201;
        });
        return made.body;
      },
    ],
  ])('%s: %s', async (_, reason, create) => {
    const serviceAccountToken = await world.run(await create());
    const before = await control.tokens();
    const answer = await ask(serve, serviceAccountToken);
    expect(answer).toMatchObject({ status: 403, json: { code: 'not-allowed' } });
    expect(answer.json).not.toHaveProperty('credentials');
    const line = await serve.auditLineOf(answer.json['requestId']);
    expect(line).toMatchObject({ decision: 'refused', status: 403, reason });
    expect(await control.tokens()).toHaveLength(before.length);
  });

  it('while serve does not know the key of its stamp, and then does', async () => {
    const file = join(world.decorated.folder, 'other-keys.json');
    const replace = async (text: string): Promise<void> => {
      await writeFile(`${file}.new`, text);
      await rename(`${file}.new`, file);
    };
    await replace(formatPublicKeys(publicKeysOf({ keys: [newSigningKey()] })));
    const other = await world.serve(file);
    const serviceAccountToken = await world.run(await createPod({ name: 'rotated' }, ALICE));
    const refused = await ask(other, serviceAccountToken);
    expect(refused.status).toBe(403);
    const line = await other.auditLineOf(refused.json['requestId']);
    expect(line).toMatchObject({ reason: 'stamp-key-unknown' });

    await replace(await world.publishedKeys());
    await until('credentials', async () => (await ask(other, serviceAccountToken)).status === 200);
    expect(ownersIn(await ask(other, serviceAccountToken))).toContain('alice');
  });
});

it('decorate tells how long its certificates are good for', async () => {
  const { adminUrl } = world.decorated.decorate ?? {};
  const text = await (await fetch(`${adminUrl}/metrics`)).text();
  const valueOf = (name: string): number =>
    Number(new RegExp(`^${name} ([0-9.e+]+)$`, 'm').exec(text)?.[1] ?? Number.NaN);
  const daysLeft = (name: string): number => (valueOf(name) - Date.now() / 1000) / 86_400;
  expect(daysLeft('kerbridge_tls_certificate_not_after_timestamp_seconds')).toBeCloseTo(30, 0);
  expect(daysLeft('kerbridge_own_ca_not_after_timestamp_seconds')).toBeCloseTo(365, 0);
  expect(text).toContain('kerbridge_own_ca_events_total{type="changed"} 1');
  expect(text).toMatch(/kerbridge_admission_reviews_total\{route="\/mutate",outcome="changed"\} [1-9]/);
});

/** A Deployment that was there when its namespace opted in: nobody saw who wrote it. */
describe('a workload from before', () => {
  const NAMESPACE = 'moving';
  const alice: Requester = { user: 'alice', groups: ['system:masters'] };
  const path = `${deploymentsPath(NAMESPACE)}/old`;
  const restart = (claim: object, now: string) =>
    ({
      method: 'PATCH',
      kind: 'merge',
      body: {
        metadata: { annotations: claim },
        spec: { template: { metadata: { annotations: { 'kubectl.kubernetes.io/restartedAt': now } } } },
      },
    }) as const;
  const uids = async (): Promise<readonly (string | undefined)[]> =>
    (await world.decorated.podsOf('old-', NAMESPACE)).map(({ metadata }) => metadata?.uid);
  async function podAfter(write: () => Promise<unknown>): Promise<ApiObject> {
    const before = await uids();
    await write();
    const fresh = async () =>
      (await world.decorated.podsOf('old-', NAMESPACE)).find(
        ({ metadata }) => !before.includes(metadata?.uid),
      );
    await until('a new pod', async () => (await fresh()) !== undefined);
    return (await fresh()) ?? {};
  }

  it('goes on and gets nothing, also when it is restarted, until somebody claims it', async () => {
    const { api } = world.decorated;
    await world.decorated.createNamespace(NAMESPACE);
    await createDeployment('old', alice, NAMESPACE);
    const label = { metadata: { labels: { iddecorator: 'enabled' } } };
    await api.must(`/api/v1/namespaces/${NAMESPACE}`, { method: 'PATCH', kind: 'merge', body: label });

    const restarted = await podAfter(() => api.must(path, restart({}, 'once'), alice));
    expect(await ask(serve, await world.run(restarted))).toMatchObject({ status: 403 });

    const claim = { 'kerbridge.dev/claim': 'alice' };
    const claimed = await podAfter(() => api.must(path, restart(claim, 'twice'), alice));
    const answer = await ask(serve, await world.run(claimed));
    expect(answer).toMatchObject({ status: 200, json: { owner: 'alice' } });
  });
});

it('keys are rotated without a pod that gets nothing', async () => {
  const { api } = world.decorated;
  const path = '/api/v1/namespaces/kerbridge/secrets/kerbridge-stamp-keys';
  const { data } = (await api.must(path, { method: 'GET' })) as { data?: Record<string, string> };
  const read = parsePrivateKeys(Buffer.from(data?.['stamp-keys.json'] ?? '', 'base64').toString());
  if (!read.ok) throw new Error('the Secret holds no keys');
  const [old] = read.keys.keys;
  const next = newSigningKey();
  /** As an operator would; a start looks at once, a process that runs within 30 s. */
  const use = async (keys: readonly [StampSigningKey, ...StampSigningKey[]]): Promise<void> => {
    const stringData = { 'stamp-keys.json': formatPrivateKeys({ keys }).reveal() };
    await api.must(path, { method: 'PATCH', kind: 'merge', body: { stringData } });
    await world.decorated.stop();
    await world.decorated.start();
    await writeFile(`${keysFile}.new`, await world.publishedKeys());
    await rename(`${keysFile}.new`, keysFile);
  };
  const before = await world.run(await createPod({ name: 'before' }, ALICE));
  await use([old, next]);
  await use([next, old]);
  const after = await world.run(await createPod({ name: 'after' }, ALICE));
  await until('both keys at serve', async () => (await ask(serve, after)).status === 200);
  expect((await ask(serve, before)).status).toBe(200);

  await use([next]);
  await until('an end of the old key', async () => (await ask(serve, before)).status === 403);
  expect((await ask(serve, after)).status).toBe(200);
});
