import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { formatPublicKeys, newSigningKey, publicKeysOf } from '../../../src/identity/stamps/stamp-keys.ts';
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

async function createDeployment(name: string, as: Requester): Promise<ApiObject> {
  const labels = { app: name };
  const spec = {
    replicas: 1,
    selector: { matchLabels: labels },
    template: { metadata: { labels }, spec: hadoopPodSpec() },
  };
  const path = `/apis/apps/v1/namespaces/${TEAM}/deployments`;
  await world.decorated.api.must(path, { method: 'POST', body: { metadata: { name }, spec } }, as);
  const find = () => world.decorated.podsOf(`${name}-`);
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
