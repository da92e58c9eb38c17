import { Agent } from 'node:http';
import { createSpnegoProcess } from '../../../src/kerberos/spnego-process.ts';
import { proxiedUsers } from '../../stack/stack.ts';
import type { ServeProcess } from '../../integration/serve-process.ts';
import type { Bench } from '../bench.ts';
import { ClusterWorld, inParallel } from '../cluster/cluster-world.ts';
import { get } from '../cluster/get.ts';
import { median } from '../http/world.ts';

const ROUNDS = 5;
/** In a run of all parts. */
const FEWER_ROUNDS = 3;
const FEWER_USERS = 100;
const CALLERS = 8;
const USERS = proxiedUsers.filter((user) => user.startsWith('user'));

/**
 * Users that were never seen: through `serve`, with a store in Kubernetes and with none, beside a plain loop that asks the
 * NameNode for as many tokens with one cookie over as many kept connections.
 */
export const coldBench: Bench = {
  name: 'cold',
  run: async (print, record, { isNamed }) => {
    await using world = await ClusterWorld.create();
    // Of each round, and one to warm up with.
    const rounds: (readonly string[])[] = [];
    const measured = isNamed ? ROUNDS : FEWER_ROUNDS;
    const users = isNamed ? USERS : USERS.slice(0, FEWER_USERS);
    for (let round = 0; round <= measured; round += 1) {
      const namespace = await world.namespace();
      rounds.push(await world.pods(users.map((user) => ({ namespace, name: `pod-${user}`, user }))));
    }
    const agents = Array.from({ length: 3 }, () => new Agent({ keepAlive: true, maxSockets: CALLERS }));
    const [plainAgent, storedAgent, memoryAgent] = agents;
    const stored = await world.serve('kubernetes');
    const memory = await world.serve('memory');
    const askNameNode = await loginTo(world, plainAgent);
    const sides = {
      plain: () => inParallel(CALLERS, users, askNameNode),
      stored: (serviceAccountTokens: readonly string[]) =>
        askServe(stored, storedAgent, serviceAccountTokens),
      memory: (serviceAccountTokens: readonly string[]) =>
        askServe(memory, memoryAgent, serviceAccountTokens),
    };
    const names = ['plain', 'stored', 'memory'] as const;
    const seconds: Record<(typeof names)[number], number[]> = { plain: [], stored: [], memory: [] };
    const before = { stored: await figuresOf(stored), memory: await figuresOf(memory) };
    for (const [round, serviceAccountTokens] of rounds.entries()) {
      for (const name of round % 2 === 0 ? names : names.toReversed()) {
        const startedAt = performance.now();
        await sides[name](serviceAccountTokens);
        if (round > 0) seconds[name].push((performance.now() - startedAt) / 1000);
      }
    }
    for (const name of names) {
      const perSecond = median(seconds[name].map((each) => users.length / each));
      print(
        `${name.padEnd(7)} ${perSecond.toFixed(0)} tokens/s (${users.length} users a round, ${CALLERS} callers)`,
      );
    }
    const count = rounds.length * users.length;
    for (const [name, serve] of Object.entries({ stored, memory })) {
      const now = await figuresOf(serve);
      const each = (key: keyof ServeFigures): string =>
        ((1000 * (now[key] - before[name as 'stored' | 'memory'][key])) / count).toFixed(1);
      print(
        `${name.padEnd(7)} each request ${each('requests')} ms, of that TokenReview ${each('reviews')} ms, ` +
          `GETDELEGATIONTOKEN ${each('issues')} ms; ${each('cpu')} ms of CPU in serve`,
      );
    }
    const ratio = (name: 'stored' | 'memory'): number =>
      median(seconds.plain.map((plain, round) => plain / (seconds[name][round] ?? Number.NaN)));
    record('coldPathRatio', ratio('stored'));
    record('coldPathMemoryRatio', ratio('memory'));
    for (const agent of agents) agent.destroy();
  },
};

async function askServe(
  { url }: ServeProcess,
  agent: Agent | undefined,
  serviceAccountTokens: readonly string[],
): Promise<void> {
  await inParallel(CALLERS, serviceAccountTokens, async (token) => {
    const { status, text } = await get(agentOf(agent), `${url}/v1/credentials`, {
      Authorization: `Bearer ${token}`,
    });
    if (status !== 200) throw new Error(`serve answered ${status}: ${text}`);
  });
}

/** Sums, in s. */
interface ServeFigures {
  readonly cpu: number;
  readonly requests: number;
  readonly reviews: number;
  readonly issues: number;
}

async function figuresOf({ adminUrl }: ServeProcess): Promise<ServeFigures> {
  const text = await (await fetch(`${adminUrl}/metrics`)).text();
  const sumOf = (name: string): number => {
    const line = text.split('\n').find((each) => each.startsWith(name));
    return line === undefined ? 0 : Number(line.slice(line.lastIndexOf(' ')));
  };
  return {
    cpu: sumOf('process_cpu_seconds_total '),
    requests: sumOf('kerbridge_http_request_duration_seconds_sum'),
    reviews: sumOf('kerbridge_token_review_duration_seconds_sum'),
    issues: sumOf('kerbridge_hadoop_call_duration_seconds_sum{cluster="stack",operation="issue"}'),
  };
}

/** Asks for the token of a user with the cookie that one login gave. */
async function loginTo(
  { stack }: ClusterWorld,
  agent: Agent | undefined,
): Promise<(user: string) => Promise<void>> {
  const [nameNode] = stack.hdfs.nameNodes;
  const root = `${nameNode?.httpUrl ?? ''}/webhdfs/v1/?op=`;
  await using spnego = await createSpnegoProcess({
    keytab: stack.keytabs.kerbridge,
    krb5Conf: stack.krb5Conf,
  });
  const spnegoToken = await spnego.negotiate('localhost');
  const { status, cookies, text } = await get(agentOf(agent), `${root}GETFILESTATUS`, {
    Authorization: `Negotiate ${spnegoToken.reveal()}`,
  });
  const Cookie = cookies[0]?.split(';')[0];
  if (status !== 200 || Cookie === undefined) throw new Error(`no cookie, status ${status}: ${text}`);
  return async (user) => {
    const asked = await get(agentOf(agent), `${root}GETDELEGATIONTOKEN&renewer=kerbridge&doas=${user}`, {
      Cookie,
    });
    if (asked.status !== 200) throw new Error(`the NameNode answered ${asked.status}: ${asked.text}`);
  };
}

function agentOf(agent: Agent | undefined): Agent {
  if (agent === undefined) throw new RangeError('no agent');
  return agent;
}
