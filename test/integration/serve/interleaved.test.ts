import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readFile, writeFile } from 'node:fs/promises';
import { Agent } from 'node:http';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { decodeCredentials } from '../../../src/hadoop/codec/credentials.ts';
import { decodeTokenIdentifier } from '../../../src/hadoop/codec/token-identifier.ts';
import { hdfsControl } from '../../stack/stack.ts';
import { KubernetesProxy, kubeconfigThrough, TOKEN_REVIEW } from '../kubernetes-proxy.ts';
import type { TestNamespace, TestPod } from '../kubernetes-objects.ts';
import { waitFor } from '../serve-process.ts';
import type { ServeProcess } from '../serve-process.ts';
import { get, pipeline } from './http-connections.ts';
import type { Reply } from './http-connections.ts';
import { AUDIENCE, ServeWorld } from './serve-world.ts';
import { TamperingProxy } from './tampering-proxy.ts';

const USERS = ['alice', 'bob', 'carol', 'user001', 'user002'];
const PODS = 50;
const NAMESPACES = 7;
const TOKENS_OF_A_POD = 4;
const REQUESTS = 1_000;
const AT_ONCE = 50;
const PIPELINED = 8;

interface Caller {
  readonly pod: TestPod;
  readonly user: string;
  readonly serviceAccountTokens: readonly string[];
}

interface Asked {
  readonly caller: Caller;
  readonly headers: Readonly<Record<string, string>>;
}

/** mulberry32: small, and the same row of numbers for the same seed. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

describe.each([
  ['pods in memory', {}],
  ['pods looked up one by one', { podSelector: 'kerbridge-test=no-such-pod' }],
])(`${REQUESTS} interleaved requests of ${PODS} pods under faults, with %s`, (_, kubernetesChange) => {
  const seed = 20_261_123;
  const random = randomFrom(seed);
  const pick = <T>(values: readonly T[]): T => {
    const value = values[Math.floor(random() * values.length)];
    if (value === undefined) throw new RangeError('nothing to pick from');
    return value;
  };
  let world: ServeWorld;
  let kubernetes: KubernetesProxy;
  let nameNode: TamperingProxy;
  let serve: ServeProcess;
  let callers: readonly Caller[];

  beforeAll(async () => {
    world = await ServeWorld.create();
    await hdfsControl(world.stack.hdfs).reset();
    const { server, caFile } = world.stack.kubernetes;
    kubernetes = await KubernetesProxy.before(server, await readFile(caFile, 'utf8'));
    nameNode = await TamperingProxy.before(world.stack.hdfs.nameNodes[0]?.httpUrl ?? '');
    const kubeconfig = join(world.folder, 'through.kubeconfig');
    await writeFile(kubeconfig, await kubeconfigThrough(kubernetes, world.kubeconfig), { mode: 0o600 });
    const namespaces: TestNamespace[] = [];
    while (namespaces.length < NAMESPACES) namespaces.push(await world.anotherNamespace());
    callers = await Promise.all(
      Array.from({ length: PODS }, (_unused, index) => newCaller(index, namespaces[index % NAMESPACES])),
    );
    serve = await world.serve({
      kubernetes: { kubeconfig, audience: AUDIENCE, ...kubernetesChange },
      clusters: [world.cluster({ hadoopConf: await nameNode.confDir(world.stack.hdfs, world.folder) })],
      log: { level: 'info' },
    });
  });

  afterAll(async () => {
    await world[Symbol.asyncDispose]();
    await kubernetes[Symbol.asyncDispose]();
    await nameNode[Symbol.asyncDispose]();
  });

  /** The same name in every namespace, so that only both together, or the UID, tell pods apart. */
  async function newCaller(index: number, namespace: TestNamespace | undefined): Promise<Caller> {
    const user = USERS[index % USERS.length] ?? '';
    const options = { user, name: `job-${Math.floor(index / NAMESPACES)}` };
    const { pod, serviceAccountToken } = await world.pod(
      options,
      namespace === undefined ? {} : { namespace },
    );
    const serviceAccountTokens = [serviceAccountToken];
    while (serviceAccountTokens.length < TOKENS_OF_A_POD) {
      serviceAccountTokens.push((await namespace?.requestToken([AUDIENCE], { pod }))?.reveal() ?? '');
    }
    return { pod, user, serviceAccountTokens };
  }

  /** Everything between us and the servers goes wrong now and then. */
  function trouble(): void {
    const failure = { kind: 'Status', apiVersion: 'v1', status: 'Failure' };
    for (const pattern of [TOKEN_REVIEW, /^GET \/api\/v1\/namespaces\/[^/]+\/pods\//]) {
      kubernetes.interfere(pattern, async (incoming, outgoing) => {
        const chance = random();
        if (chance < 0.3) await delay(random() * 200);
        else if (chance < 0.36) {
          outgoing.writeHead(500, { 'content-type': 'application/json' });
          outgoing.end(JSON.stringify({ ...failure, code: 500 }));
          return true;
        } else if (chance < 0.4) {
          outgoing.writeHead(429, { 'content-type': 'application/json' });
          outgoing.end(JSON.stringify({ ...failure, code: 429 }));
          return true;
        } else if (chance < 0.44) {
          incoming.socket.destroy();
          return true;
        }
        return false;
      });
    }
    nameNode.interfere = async (_operation, outgoing) => {
      const chance = random();
      if (chance < 0.4) await delay(random() * 300);
      else if (chance < 0.5) {
        outgoing.destroy();
        return true;
      } else if (chance < 0.6) {
        const RemoteException = {
          exception: 'StandbyException',
          javaClassName: 'org.apache.hadoop.ipc.StandbyException',
          message: 'Operation category WRITE is not supported in state standby',
        };
        outgoing.writeHead(403, { 'content-type': 'application/json' });
        outgoing.end(JSON.stringify({ RemoteException }));
        return true;
      }
      return false;
    };
  }

  const keyOf = ({ pod, user }: Caller): string => `${pod.namespace}/${user}`;
  const answers: { readonly asked: Asked; readonly reply: Reply }[] = [];
  let hungUp = 0;
  const etagsOf = new Map<string, string[]>();

  function ask(): Asked {
    const caller = pick(callers);
    const chance = random();
    // One's own, somebody else's, or none.
    const etags =
      chance < 0.2 ? etagsOf.get(keyOf(caller)) : chance < 0.4 ? [...etagsOf.values()].flat() : undefined;
    const headers = {
      Accept: random() < 0.5 ? 'application/json' : 'application/octet-stream',
      Authorization: `Bearer ${pick(caller.serviceAccountTokens)}`,
      ...(etags === undefined || etags.length === 0 ? {} : { 'If-None-Match': pick(etags) }),
    };
    return { caller, headers };
  }

  function answered(asked: Asked, reply: Reply): void {
    answers.push({ asked, reply });
    const key = keyOf(asked.caller);
    const etag = reply.headers['etag'];
    const own = etagsOf.get(key) ?? [];
    if (reply.status === 200 && etag !== undefined && !own.includes(etag)) etagsOf.set(key, [...own, etag]);
  }

  /** What the answers show, by what is in them and by the audit, that is not the caller's own. */
  function findWrong(auditLines: ReadonlyMap<unknown, Record<string, unknown>>): string[] {
    const wrong: string[] = [];
    const holders = new Map<number, string>();
    for (const { asked, reply } of answers) {
      const { pod, user } = asked.caller;
      const key = keyOf(asked.caller);
      const note = (what: string): void => {
        wrong.push(`${key} ${pod.name}, ${reply.status}: ${what}`);
      };
      const line = auditLines.get(reply.headers['x-request-id']) ?? {};
      const recorded = line['pod'] as Record<string, unknown> | undefined;
      if (line['status'] !== reply.status) note(`audit says status ${JSON.stringify(line['status'])}`);
      if (recorded !== undefined && recorded['uid'] !== pod.uid)
        note(`audit says ${JSON.stringify(recorded)}`);
      if (line['user'] !== undefined && line['user'] !== user)
        note(`audit says ${JSON.stringify(line['user'])}`);

      if (reply.status !== 200 && reply.status !== 304) {
        const { code } = JSON.parse(reply.body.toString()) as { code: string };
        if (code === 'internal' || ![429, 502, 503].includes(reply.status)) note(code);
        continue;
      }
      if (recorded === undefined || line['user'] === undefined) note('the audit does not say to whom');
      const etag = reply.headers['etag'] ?? '';
      if (reply.status === 304) {
        if (etag !== asked.headers['If-None-Match']) note('another ETag than was asked about');
        if (etagsOf.get(key)?.includes(etag) !== true) note('the ETag of another');
        continue;
      }
      let file = reply.body;
      if (asked.headers['Accept'] === 'application/json') {
        const document = JSON.parse(reply.body.toString()) as { owner: string; credentials: string };
        if (document.owner !== user) note(`document of ${document.owner}`);
        file = Buffer.from(document.credentials, 'base64');
      }
      const { tokens } = decodeCredentials(file).credentials;
      if (tokens.length === 0) note('no token');
      for (const { token } of tokens) {
        const { owner, sequenceNumber } = decodeTokenIdentifier(token.kind, token.identifier);
        if (owner !== user) note(`token of ${owner}`);
        if (JSON.stringify(line['sequenceNumbers']) !== JSON.stringify([sequenceNumber])) {
          note(`token ${sequenceNumber}, audit says ${JSON.stringify(line['sequenceNumbers'])}`);
        }
        // Users of two namespaces share none.
        const holder = holders.get(sequenceNumber) ?? key;
        holders.set(sequenceNumber, holder);
        if (holder !== key) note(`token ${sequenceNumber} of ${holder}`);
      }
    }
    return wrong;
  }

  const kept = new Agent({ keepAlive: true, maxSockets: 20 });

  /** On a connection that others use before and after, or on one of its own. */
  async function send(asked: Asked, { hangUpAfterMs }: { hangUpAfterMs?: number } = {}): Promise<void> {
    const hangUp = hangUpAfterMs === undefined ? undefined : AbortSignal.timeout(hangUpAfterMs);
    const agent = random() < 0.7 ? kept : false;
    try {
      answered(asked, await get(`${serve.url}/v1/credentials`, asked.headers, { agent, signal: hangUp }));
    } catch (error) {
      if (hangUp?.aborted !== true) throw error;
      hungUp += 1;
    }
  }

  /** All at once on one connection, each of another pod. */
  async function sendPipelined(all: readonly Asked[]): Promise<void> {
    const replies = await pipeline(
      `${serve.url}/v1/credentials`,
      all.map(({ headers }) => headers),
    );
    for (const [index, asked] of all.entries()) {
      const reply = replies[index];
      if (reply !== undefined) answered(asked, reply);
    }
  }

  it('each gets its own user’s token or none, and the audit says so', async () => {
    trouble();
    let left = REQUESTS;
    const client = async (): Promise<void> => {
      while (left > 0) {
        const chance = random();
        if (chance < 0.02) {
          const all = Array.from({ length: Math.min(PIPELINED, left) }, ask);
          left -= all.length;
          await sendPipelined(all);
        } else {
          left -= 1;
          await send(ask(), chance < 0.1 ? { hangUpAfterMs: Math.floor(random() * 60) } : {});
        }
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, client));
    kept.destroy();

    const linesOf = () => new Map(serve.auditLines().map((line) => [line['requestId'], line]));
    await waitFor(() => {
      const lines = linesOf();
      return answers.every(({ reply }) => lines.has(reply.headers['x-request-id']));
    });
    const count = (status: number): number => answers.filter(({ reply }) => reply.status === status).length;
    const statuses = [200, 304, 429, 502, 503].map((status) => `${status}: ${count(status)}`).join(', ');
    const calls = `${kubernetes.count(TOKEN_REVIEW)} reviews, ${nameNode.operations.length} calls to the NameNode`;
    process.stdout.write(`seed ${seed}; ${statuses}, hung up: ${hungUp}; ${calls}\n`);
    expect(findWrong(linesOf()).slice(0, 20)).toEqual([]);
    expect(answers.length + hungUp).toBe(REQUESTS);
    expect(count(200)).toBeGreaterThan(REQUESTS / 2);
    // Nothing was left out by chance.
    for (const seen of [count(304), count(503), hungUp]) expect(seen).toBeGreaterThan(0);

    // Those who hung up are in it too: a pod and the user that it speaks for, and no other.
    const userOf = new Map(callers.map(({ pod, user }) => [pod.uid, user]));
    const lines = serve.auditLines().filter((line) => line['requestId'] !== undefined);
    expect(lines).toHaveLength(new Set(lines.map((line) => line['requestId'])).size);
    for (const line of lines) {
      const { uid } = (line['pod'] ?? {}) as { uid?: string };
      if (uid === undefined) expect(line).not.toHaveProperty('user');
      else expect([undefined, userOf.get(uid) ?? 'nobody']).toContain(line['user']);
      expect(line['code']).not.toBe('internal');
    }
    expect(serve.logLines().filter(({ level }) => level === 'error')).toEqual([]);
  });
});
