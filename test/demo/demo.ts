// npm run demo: the main flow on real servers, told step by step. Exit code 0 only if every step went as told.
//   --keep    leave the stack up at the end
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { type ApiCaller, type ApiObject, openApi, type Requester } from '../integration/api-caller.ts';
import { createServiceAccountLogin, LEAST_RULES, TestNamespace } from '../integration/kubernetes-objects.ts';
import { createReadyNode } from '../integration/ready-node.ts';
import { runPod } from '../integration/run-pod.ts';
import { startServe, waitFor } from '../integration/serve-process.ts';
import { down, hdfsControl, runHadoopFs, up } from '../stack/stack.ts';
import { stackDir } from '../stack/paths.ts';
import { startDemoDecorator } from './demo-decorator.ts';

const MAIN = join(import.meta.dirname, '../../src/main.ts');
const keep = process.argv.includes('--keep');
const cleanUps: (() => Promise<unknown>)[] = [];
let step = 0;

const say = (line = '') => process.stdout.write(`${line}\n`);
const tell = (title: string) => say(`\n${++step}. ${title}`);
const show = (text: string) => say(text.trimEnd().replaceAll(/^/gm, '   | '));
function expect(holds: boolean, what: string): void {
  if (!holds) throw new Error(`the demo did not go as told: ${what}`);
}

function kerbridge(args: readonly string[]) {
  return new Promise<{ exitCode: number; stderr: string }>((resolve) => {
    const env = { PATH: process.env['PATH'] };
    const child = execFile(process.execPath, [MAIN, ...args], { env }, (_error, _stdout, stderr) =>
      resolve({ exitCode: child.exitCode ?? -1, stderr }),
    );
  });
}

const TOKEN_INTERVAL_MS = 20_000;
const AUDIENCE = 'kerbridge';
const ALICE: Requester = { user: 'alice', groups: ['data-scientists'] };
const BOB: Requester = { user: 'bob', groups: ['data-scientists'] };

const userOf = ({ metadata }: ApiObject): string | undefined =>
  metadata?.annotations?.['iddecorator.username'];

/** The right to work with pods there, for all of the team. */
async function allowToWork(api: ApiCaller, namespace: string): Promise<void> {
  const rbac = `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}`;
  const metadata = { name: 'data-scientists' };
  const rules = [
    { apiGroups: [''], resources: ['pods'], verbs: ['create', 'get', 'patch', 'delete'] },
    { apiGroups: [''], resources: ['pods/exec'], verbs: ['get', 'create'] },
  ];
  await api.must(`${rbac}/roles`, { method: 'POST', body: { metadata, rules } });
  const subjects = [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'Group', name: 'data-scientists' }];
  const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'data-scientists' };
  await api.must(`${rbac}/rolebindings`, { method: 'POST', body: { metadata, roleRef, subjects } });
}

async function demo(): Promise<void> {
  tell(
    'Bring up a KDC, a secure HDFS, etcd and kube-apiserver, on loopback (kept in a cache: later runs are quick).',
  );
  const dir = `${stackDir(undefined)}-demo`;
  if (!keep) cleanUps.push(() => down({ dir, progress: () => undefined }));
  const stack = await up({ dir });
  const hdfsUrl = `hdfs://${stack.hdfs.nameNodes[0]?.rpcAddress}`;
  show(`realm ${stack.realm}\n${hdfsUrl}\n${stack.kubernetes.server}`);

  const folder = await mkdtemp(join(tmpdir(), 'kerbridge-demo-'));
  cleanUps.push(() => rm(folder, { recursive: true, force: true }));
  const admin = stack.kubernetes.kubeconfig.admin;
  const api = await openApi(stack.kubernetes);
  cleanUps.push(async () => api.close());

  tell(
    'Start kerbridge decorate, with the webhooks, policies and rights of deploy/ (see docs/decorator.md).',
  );
  const decorator = await startDemoDecorator(api, { folder, adminKubeconfig: admin });
  cleanUps.push(async () => await decorator[Symbol.asyncDispose]());
  const team = await TestNamespace.create(admin, 'team', { iddecorator: 'enabled' });
  cleanUps.push(() => team.dispose());
  await allowToWork(api, team.name);
  const podsPath = `/api/v1/namespaces/${team.name}/pods`;
  const podOf = (name: string, annotations = {}) => ({
    metadata: { name, annotations },
    spec: {
      serviceAccountName: TestNamespace.DEFAULT_ACCOUNT,
      containers: [{ name: 'main', image: 'trainer:1' }],
      volumes: [
        {
          name: 'kerbridge',
          projected: {
            sources: [
              { serviceAccountToken: { audience: AUDIENCE, expirationSeconds: 3600, path: 'token' } },
            ],
          },
        },
      ],
    },
  });
  await waitFor(async () => {
    const dryRun = { method: 'POST', body: podOf('dry-run') } as const;
    const { body } = await api.call(`${podsPath}?dryRun=All`, dryRun, ALICE);
    return userOf(body) === 'alice';
  });
  show(`it stamps pods in namespaces with the label iddecorator=enabled, as ${team.name} has it`);

  tell('Start kerbridge serve: the keytab and the Hadoop conf dir, least RBAC (see docs/configuration.md).');
  const login = await createServiceAccountLogin(admin, LEAST_RULES);
  cleanUps.push(() => login.dispose());
  const home = await TestNamespace.create(admin, 'demo');
  cleanUps.push(() => home.dispose());
  const hdfs = hdfsControl(stack.hdfs);
  // A day by default.
  await hdfs.setTokenLifetimes({ renewIntervalMs: TOKEN_INTERVAL_MS });
  cleanUps.push(() => hdfs.reset());
  const serve = await startServe({
    dir: folder,
    config: {
      kubernetes: { kubeconfig: login.kubeconfig, audience: AUDIENCE },
      identity: {
        requireSignature: true,
        stampKeysFile: decorator.stampKeysFile,
        // In a pod it would be kerbridge's own namespace, where only operators may write.
        revocationsConfigMap: { namespace: home.name },
      },
      // Minutes where somebody works with it; here nobody is to wait for them.
      delegationTokens: { storeNamespace: home.name, idleTime: '2s', stalenessBound: '5s' },
      clusters: [
        {
          name: 'demo',
          hadoopConf: stack.hdfs.confDir,
          keytab: stack.keytabs.kerbridge,
          krb5Conf: stack.krb5Conf,
          allowPlainHttp: true,
        },
      ],
    },
  });
  cleanUps.push(() => serve.stop());
  show(`${serve.url} is ready; it believes signed stamps only`);

  tell(
    'Alice starts a pod. She says nothing about who she is: the API server knows, and the decorator signs it.',
  );
  const created = await api.must(podsPath, { method: 'POST', body: podOf('training') }, ALICE);
  show(
    `pod ${team.name}/training\niddecorator.username: ${userOf(created)}\nkerbridge.dev/stamp: ${created.metadata?.annotations?.['kerbridge.dev/stamp']?.slice(0, 24)}...`,
  );
  expect(userOf(created) === 'alice', "the pod is alice's");

  tell('Bob may write in the same namespace. He can be alice neither in a pod of his own nor in hers.');
  const forged = podOf('forged', { 'iddecorator.username': 'alice' });
  const his = await api.must(podsPath, { method: 'POST', body: forged }, BOB);
  show(`a pod that he makes with iddecorator.username: alice has iddecorator.username: ${userOf(his)}`);
  expect(userOf(his) === 'bob', "the pod is bob's, whatever he writes");
  const toBob = { metadata: { annotations: { 'iddecorator.username': 'bob' } } };
  const patched = await api.call(
    `${podsPath}/training`,
    { method: 'PATCH', kind: 'merge', body: toBob },
    BOB,
  );
  const image = { spec: { containers: [{ name: 'main', image: 'bobs:1' }] } };
  const swapped = await api.call(
    `${podsPath}/training`,
    { method: 'PATCH', kind: 'strategic', body: image },
    BOB,
  );
  const executed = await api.call(
    `${podsPath}/training/exec?command=sh&container=main`,
    { method: 'GET' },
    BOB,
  );
  for (const { status, body } of [patched, swapped, executed]) {
    show(`${status} ${body.message}`);
    expect(status === 403, 'the API server refuses bob');
  }

  const node = `node-of-${team.name}`;
  await createReadyNode(api, node);
  cleanUps.push(() => api.must(`/api/v1/nodes/${node}`, { method: 'DELETE' }));
  const run = (pod: ApiObject) =>
    runPod(api, pod, { node, audience: AUDIENCE, serviceAccount: TestNamespace.DEFAULT_ACCOUNT });
  const serviceAccountTokenFile = join(folder, 'service-account-token');
  const serviceAccountToken = await run(created);
  await writeFile(serviceAccountTokenFile, serviceAccountToken.reveal(), { mode: 0o600 });

  tell(
    'In her pod, with its projected service-account token: kerbridge fetch writes the file that HADOOP_TOKEN_FILE_LOCATION names.',
  );
  const tokenFile = join(folder, 'hadoop.token');
  const fetchArgs = ['fetch', '--url', serve.url, '--service-account-token-file', serviceAccountTokenFile];
  const fetched = await kerbridge([...fetchArgs, '--output', tokenFile]);
  show(fetched.stderr);
  expect(fetched.exitCode === 0, 'fetch ends with 0');
  const mode = ((await stat(tokenFile)).mode & 0o777).toString(8);
  show(`mode ${mode}, ${(await readFile(tokenFile)).length} bytes`);
  expect(mode === '600', 'the file is for its owner only');
  const tokensOfAlice = async () => (await hdfs.tokens()).filter(({ owner }) => owner === 'alice');
  const [token] = (await tokensOfAlice()).slice(-1);
  show(`the NameNode knows token ${token?.sequenceNumber}: owner ${token?.owner}, renewer ${token?.renewer}`);
  expect(token?.renewer === 'kerbridge', 'the NameNode holds a token of alice that kerbridge renews');

  const hadoopFs = async (...args: string[]) => {
    say(`   $ hadoop fs ${args.join(' ')}`);
    const result = await runHadoopFs(stack, { confDir: stack.hdfs.confDir, tokenFile, args });
    show(result.exitCode === 0 ? result.stdout : result.stderr.split('\n').slice(-3).join('\n'));
    return result;
  };
  tell(
    "The Java Hadoop client, with that file only (no ticket, no keytab, no way to the KDC), reads alice's data.",
  );
  const own = await hadoopFs('-ls', `${hdfsUrl}/user/alice`);
  expect(own.exitCode === 0 && own.stdout.includes('/user/alice/'), 'alice lists /user/alice');

  tell('And it is alice, nobody else: /user/bob stays shut.');
  const others = await hadoopFs('-ls', `${hdfsUrl}/user/bob`);
  expect(
    others.exitCode !== 0 && others.stderr.includes('Permission denied: user=alice'),
    'HDFS refuses alice at /user/bob',
  );

  tell(
    `The NameNode here takes a token for ${TOKEN_INTERVAL_MS / 1_000} s unless it is renewed. Kerbridge renews it at half of that.`,
  );
  const ofNow = async () =>
    (await tokensOfAlice()).find(({ sequenceNumber }) => sequenceNumber === token?.sequenceNumber);
  await waitFor(async () => ((await ofNow())?.renewDate ?? 0) > (token?.renewDate ?? 0), TOKEN_INTERVAL_MS);
  const renewed = await ofNow();
  show(`good until ${dateOf(token?.renewDate)}, then until ${dateOf(renewed?.renewDate)}`);

  tell('Where nobody opted in nothing is signed: a pod that says by itself whose it is gets nothing.');
  const elsewhere = await TestNamespace.create(admin, 'elsewhere');
  cleanUps.push(() => elsewhere.dispose());
  await allowToWork(api, elsewhere.name);
  const path = `/api/v1/namespaces/${elsewhere.name}/pods`;
  const says = podOf('unsigned', { 'iddecorator.username': 'alice' });
  const strangersToken = await run(await api.must(path, { method: 'POST', body: says }, BOB));
  await writeFile(serviceAccountTokenFile, strangersToken.reveal(), { mode: 0o600 });
  const refused = await kerbridge([...fetchArgs, '--output', join(folder, 'none')]);
  show(refused.stderr);
  expect(refused.exitCode === 3, 'fetch ends with 3: refused');
  const requestId = /request ([0-9a-f-]+)/.exec(refused.stderr)?.[1];
  const { decision, reason } = await serve.auditLineOf(requestId);
  show(`the audit has why: ${String(decision)}, ${String(reason)}`);
  expect(decision === 'refused' && reason === 'stamp-unsigned', 'the audit says refused');

  tell('Nobody starts pods as a service user of Hadoop.');
  const asHdfs = await api.call(
    podsPath,
    { method: 'POST', body: podOf('superuser') },
    { ...BOB, user: 'hdfs' },
  );
  show(`${asHdfs.status} ${asHdfs.body.message}`);
  expect(asHdfs.status === 403, 'the API server refuses hdfs');

  tell('An operator revokes alice: every replica refuses her within five seconds, cached token or not.');
  await writeFile(serviceAccountTokenFile, serviceAccountToken.reveal(), { mode: 0o600 });
  const revoked = await kerbridge([
    ...['revoke', '--user', 'alice', '--reason', 'demo'],
    ...['--kubeconfig', admin, '--namespace', home.name],
  ]);
  show(revoked.stderr);
  expect(revoked.exitCode === 0, 'revoke ends with 0');
  let last = fetched;
  await waitFor(async () => {
    last = await kerbridge([...fetchArgs, '--output', join(folder, 'none')]);
    return last.exitCode === 3;
  }, 10_000);
  show(last.stderr);

  tell(
    "Alice's pod ends. Nobody may hold her token any more: after the idle time Kerbridge cancels it at the NameNode.",
  );
  await api.must(`${podsPath}/training?gracePeriodSeconds=0`, { method: 'DELETE' }, ALICE);
  await waitFor(async () => (await ofNow()) === undefined, 60_000);
  show(
    `token ${token?.sequenceNumber} is gone; the NameNode knows ${(await tokensOfAlice()).length} of alice`,
  );
}

const dateOf = (ms: number | undefined): string => (ms === undefined ? 'never' : new Date(ms).toISOString());

const started = Date.now();
let failure: unknown;
try {
  await demo();
} catch (error) {
  failure = error;
}
if (cleanUps.length > 0) say(`\nCleaning up${keep ? ' (the stack stays up)' : ''} ...`);
for (const cleanUp of cleanUps.toReversed()) {
  await cleanUp().catch((error: unknown) => {
    failure ??= error;
  });
}
if (failure === undefined) {
  say(`\nDone in ${Math.round((Date.now() - started) / 1000)} s.`);
} else {
  say(`\nFailed: ${inspect(failure)}`);
  process.exitCode = 1;
}
