import { Agent } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { proxiedUsers, status as stackStatus } from '../../stack/stack.ts';
import type { Bench } from '../bench.ts';
import { ClusterWorld } from '../cluster/cluster-world.ts';
import { get } from '../cluster/get.ts';
import { machineTimes, processorTimes, residentMegabytes } from './processor-time.ts';

const PODS = 10_000;
/** Unless it is asked for by name: making the pods takes minutes on a machine that is not fast. */
const FEWER_PODS = 2_000;
const KEYS = 100;
/** Of all of them; of fewer in proportion. */
const WITHIN_MS = 28_000;
const MOST_RETRIES = 10;

/**
 * All pods of 100 users, each user in a namespace of its own, ask within 30 s, and nothing is in memory: how often is the
 * real NameNode asked?
 */
export const stormBench: Bench = {
  name: 'storm',
  run: async (print, record, { isNamed }) => {
    const pods = isNamed ? PODS : FEWER_PODS;
    const withinMs = (WITHIN_MS * pods) / PODS;
    await using world = await ClusterWorld.create();
    const users = proxiedUsers.filter((user) => user.startsWith('user')).slice(0, KEYS);
    const namespaces = await world.namespaces(users.length);
    const keys = users.map((user, n) => ({ user, namespace: namespaces[n] ?? '' }));
    const orders = Array.from({ length: pods / KEYS }, (_, n) =>
      keys.map((key) => ({ ...key, name: `pod-${n}` })),
    ).flat();
    const preparedAt = performance.now();
    const serviceAccountTokens = await world.pods(orders);
    print(`${pods} pods and their tokens made within ${seconds(preparedAt)} s`);
    const serve = await world.serve('kubernetes');
    const issuedBefore = await world.countAudited('getDelegationToken');
    const cancelledBefore = await world.countAudited('cancelDelegationToken');

    const pids: Record<string, number> = { serve: serve.pid, pods: process.pid };
    for (const { part, pid } of (await stackStatus()).parts) if (pid !== undefined) pids[part] = pid;
    const cpuBefore = await processorTimes(pids);
    const machineBefore = machineTimes();
    const memoryBefore = await residentMegabytes(serve.pid);

    const agent = new Agent({ keepAlive: false });
    const startedAt = performance.now();
    const otherAnswers = new Map<string, number>();
    let retries = 0;
    let unserved = 0;
    const tookMs: number[] = [];
    const ask = async (token: string, index: number): Promise<void> => {
      await delay((index / pods) * withinMs);
      const askedAt = performance.now();
      for (let attempt = 0; attempt <= MOST_RETRIES; attempt += 1) {
        const headers = { Authorization: `Bearer ${token}` };
        const { status, retryAfter, text } = await get(
          agent,
          `${serve.url}/v1/credentials`,
          headers,
          addressOf(index),
        ).catch(withoutAnswer);
        if (status === 200) {
          tookMs.push(performance.now() - askedAt);
          return;
        }
        const other = status === 0 ? text : `${status} ${codeOf(text)}`;
        otherAnswers.set(other, (otherAnswers.get(other) ?? 0) + 1);
        if (attempt === MOST_RETRIES) break;
        retries += 1;
        await delay(1000 * Number(retryAfter ?? '1'));
      }
      unserved += 1;
    };
    await Promise.all(serviceAccountTokens.map(ask));
    const tookSeconds = seconds(startedAt);
    agent.destroy();
    tookMs.sort((one, other) => one - other);
    const at = (part: number): string => (tookMs[Math.floor(part * (tookMs.length - 1))] ?? 0).toFixed(0);
    print(
      `asked within ${withinMs / 1000} s, all answered after ${tookSeconds} s: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, ` +
        `most ${at(1)} ms; ${retries} retries, ${unserved} pods without tokens`,
    );
    const cpu = await processorTimes(pids);
    const machine = machineTimes();
    const memory = await residentMegabytes(serve.pid);
    const used = Object.keys(pids).map((name) => (cpu[name] ?? 0) - (cpuBefore[name] ?? 0));
    const shown = Object.keys(pids).map((name, n) => `${name} ${(used[n] ?? 0).toFixed(1)} s`);
    const others = machine.busy - machineBefore.busy - used.reduce((sum, each) => sum + each, 0);
    print(
      `processor time meanwhile: ${shown.join(', ')}, all others ${others.toFixed(1)} s, ` +
        `unused ${(machine.idle - machineBefore.idle).toFixed(1)} s`,
    );
    print(
      `memory of serve: ${memoryBefore.now.toFixed(0)} MB before, ${memory.now.toFixed(0)} after, at most ${memory.most.toFixed(0)}`,
    );
    print(
      `other answers: ${[...otherAnswers].map(([what, count]) => `${what} ${count}`).join(', ') || 'none'}`,
    );
    for (const line of await refusalCounts(serve.adminUrl)) print(line);
    const errors = [...otherAnswers.values()].reduce((sum, count) => sum + count, 0);
    record('stormPods', pods);
    record('stormKeys', KEYS);
    record('stormNameNodeCalls', (await world.countAudited('getDelegationToken')) - issuedBefore);
    record('stormErrors', errors);
    record('stormCancels', (await world.countAudited('cancelDelegationToken')) - cancelledBefore);
  },
};

/** Each pod has its own, as it has in a cluster: one address may have 100 connections. */
const addressOf = (index: number): { readonly localAddress: string } => ({
  localAddress: `127.1.${index >> 8}.${index & 255}`,
});

const seconds = (since: number): string => ((performance.now() - since) / 1000).toFixed(1);

/** A request that got no answer: with the system's code as its text. */
const withoutAnswer = (error: Error & { readonly code?: string }) => ({
  status: 0,
  retryAfter: '1',
  text: `no answer: ${error.code ?? error.message}`,
});

/** The stable code of a problem. */
function codeOf(text: string): string {
  try {
    return String((JSON.parse(text) as { readonly code?: unknown }).code);
  } catch {
    return 'no problem';
  }
}

/** What serve itself says of whom it turned away, and why. */
async function refusalCounts(adminUrl: string): Promise<readonly string[]> {
  const text = await (await fetch(`${adminUrl}/metrics`)).text();
  return text
    .split('\n')
    .filter((line) => REFUSALS.some((name) => line.startsWith(name)) && !line.endsWith(' 0'));
}

const REFUSALS = [
  'kerbridge_requests_refused_total',
  'kerbridge_requests_limited_total',
  'kerbridge_queue_rejected_total',
  'kerbridge_authentications_total{outcome="could-not-check"',
];
