// The demo of docker-compose.yml: plays alice, the kubelet and alice's pod, and tells what happens step by step.
// Exit code 0 only if every step went as told. Runs in the image of Kerbridge, by the Node that is there.
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { firstToken } from './first-token.ts';

const KUBERNETES = 'https://kube-apiserver:6443';
const WEBHDFS = 'http://namenode:9870/webhdfs/v1';
const NAMESPACE = 'team-a';
const TOKEN_FILE = '/pod/hadoop.token';
const APPLICATION_RESULT = '/pod/result';
const SERVICE_ACCOUNT_TOKEN_FILE = '/tmp/serviceaccount-token';
const WAIT_SECONDS = 300;

let step = 0;
const say = (line = '') => process.stdout.write(`${line}\n`);
const tell = (title: string) => say(`\n${++step}. ${title}`);
const show = (text: string) => say(text.trimEnd().replaceAll(/^/gm, '   | '));
function expect(holds: boolean, what: string): void {
  if (!holds) throw new Error(`the demo did not go as told: ${what}`);
}

async function until(what: string, check: () => Promise<boolean>): Promise<void> {
  for (let second = 0; second < WAIT_SECONDS; second++) {
    if (await check().catch(() => false)) return;
    if (second % 20 === 19) show(`still waiting: ${what}`);
    await delay(1_000);
  }
  throw new Error(`not so within ${WAIT_SECONDS} s: ${what}. See: docker compose ps, docker compose logs`);
}

interface Pod {
  readonly metadata: { readonly name: string; readonly uid: string };
}

/** The API server, as its administrator: what alice and the kubelet do. */
async function kubernetes<T>(method: string, path: string, body?: object): Promise<T> {
  const adminToken = await readFile('/secrets/admin-token', 'utf8');
  const response = await fetch(`${KUBERNETES}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${adminToken}`,
      'content-type': method === 'PATCH' ? 'application/merge-patch+json' : 'application/json',
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
  return (await response.json()) as T;
}

function ownAddress(): string {
  const addresses = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
  const own = addresses.find(({ internal, family }) => !internal && family === 'IPv4');
  if (own === undefined) throw new Error('this container has no address');
  return own.address;
}

/** A pod that "runs" here: its address is ours. Leaves its projected service-account token in the usual place. */
async function startPod(name: string, annotations: Record<string, string>): Promise<Pod> {
  const pods = `/api/v1/namespaces/${NAMESPACE}/pods`;
  const pod = await kubernetes<Pod>('POST', pods, {
    metadata: { name, annotations },
    spec: {
      serviceAccountName: 'trainer',
      nodeName: 'laptop',
      containers: [{ name: 'main', image: 'none' }],
    },
  });
  const podIP = ownAddress();
  await kubernetes('PATCH', `${pods}/${name}/status`, {
    status: { phase: 'Running', podIP, podIPs: [{ ip: podIP }] },
  });
  const { status } = await kubernetes<{ status: { token: string } }>(
    'POST',
    `/api/v1/namespaces/${NAMESPACE}/serviceaccounts/trainer/token`,
    {
      spec: {
        audiences: ['kerbridge'],
        expirationSeconds: 3600,
        boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name, uid: pod.metadata.uid },
      },
    },
  );
  await writeFile(SERVICE_ACCOUNT_TOKEN_FILE, status.token, { mode: 0o600 });
  return pod;
}

const deletePod = (name: string) =>
  kubernetes('DELETE', `/api/v1/namespaces/${NAMESPACE}/pods/${name}`, { gracePeriodSeconds: 0 });

/** `kerbridge fetch`, as an init container runs it. */
async function fetchTokens(output: string): Promise<{ exitCode: number; said: string }> {
  const child = spawn(
    'kerbridge',
    [
      ...['fetch', '--url', 'https://kerbridge:8443', '--ca-file', '/secrets/ca.crt', '--output', output],
      ...['--service-account-token-file', SERVICE_ACCOUNT_TOKEN_FILE],
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  return await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ exitCode: code ?? -1, said }));
  });
}

async function webhdfs(path: string, operation: string): Promise<{ status: number; text: string }> {
  const delegation = firstToken(await readFile(TOKEN_FILE)).toString('base64url');
  const response = await fetch(`${WEBHDFS}${path}?op=${operation}&delegation=${delegation}`);
  return { status: response.status, text: await response.text() };
}

async function demo(): Promise<void> {
  tell('Wait for the KDC, HDFS, the API server and Kerbridge.');
  await until('namespaces and home directories are made', async () => {
    await kubernetes('GET', `/api/v1/namespaces/${NAMESPACE}/configmaps/prepared`);
    return true;
  });
  await until('kerbridge is ready', async () => (await fetch('http://kerbridge:8081/readyz')).ok);
  show('all are up');

  tell('Alice starts a pod. Its stamp says who she is; it has a service-account token, and no keytab.');
  const name = `training-${randomUUID().slice(0, 8)}`;
  await startPod(name, { 'iddecorator.username': 'alice' });
  show(`pod ${NAMESPACE}/${name}, annotation iddecorator.username: alice, address ${ownAddress()}`);

  tell('In the pod: kerbridge fetch writes the file that HADOOP_TOKEN_FILE_LOCATION names.');
  await rm(TOKEN_FILE, { force: true });
  const fetched = await fetchTokens(TOKEN_FILE);
  show(fetched.said);
  expect(fetched.exitCode === 0, 'fetch ends with 0');

  tell('WebHDFS, with that token and nothing else: alice reads her file; /user/bob stays shut.');
  const own = await webhdfs('/user/alice/hello.txt', 'OPEN');
  show(`GET /user/alice/hello.txt: ${own.status} ${own.text}`);
  expect(own.status === 200 && own.text === 'hello from alice\n', 'alice reads /user/alice/hello.txt');
  const others = await webhdfs('/user/bob', 'LISTSTATUS');
  show(`GET /user/bob: ${others.status} ${others.text.slice(0, 200)}`);
  expect(others.status === 403 && others.text.includes('user=alice'), 'HDFS refuses alice at /user/bob');

  tell(
    'The Java client of Hadoop, in the container beside this one, finds the same file and the same rights.',
  );
  await rm(APPLICATION_RESULT, { force: true });
  let result = '';
  await until('the application container has its result', async () => {
    result = await readFile(APPLICATION_RESULT, 'utf8');
    return true;
  });
  show(result);
  expect(result.includes('hello from alice'), 'hadoop fs reads /user/alice/hello.txt');
  expect(result.includes('Permission denied: user=alice'), 'HDFS refuses hadoop fs at /user/bob');

  tell('A pod without a stamp, or with a name that the rules do not allow here, gets nothing.');
  for (const annotations of [{}, { 'iddecorator.username': 'bob' }]) {
    const stranger = `stranger-${randomUUID().slice(0, 8)}`;
    await startPod(stranger, annotations);
    const refused = await fetchTokens('/tmp/none');
    show(refused.said);
    expect(refused.exitCode === 3, 'fetch ends with 3: refused');
    await deletePod(stranger);
  }
  await deletePod(name);

  tell('Prometheus has seen it.');
  const query = 'http://prometheus:9090/api/v1/query?query=';
  await until('Prometheus has scraped kerbridge', async () =>
    (await (await fetch(`${query}up{job="kerbridge"}`)).text()).includes('"1"]'),
  );
  show('up{job="kerbridge"} 1');
}

try {
  await demo();
  say('\nDone: every step went as told.');
} catch (error) {
  say(`\nFailed: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
