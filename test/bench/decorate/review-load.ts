// Asks a webhook for reviews, in a process of its own. Its parent sends one ReviewLoad, the answer is ReviewFigures.
import { setTimeout as delay } from 'node:timers/promises';
import { tellParent } from '../http/process.ts';
import { KeptConnection } from './kept-connection.ts';
import { podOfSize, reviewBytesOf } from './review-of.ts';

export interface ReviewLoad {
  readonly port: number;
  /** Of each pod. */
  readonly bytes: number;
  /** Either so many a second, whether or not answers come, or as many as these callers do, one after the other. */
  readonly pace: { readonly perSecond: number } | { readonly callers: number };
  readonly warmUpMs: number;
  readonly forMs: number;
}

/** Of what was due after the warm-up. */
export interface ReviewFigures {
  readonly answered: number;
  readonly perSecond: number;
  /** From when a review was due, which with callers is when it was sent. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** That were open at the end. */
  readonly connections: number;
  /** Those of the warm-up too, and those that got no good answer. */
  readonly sent: number;
  /** Answers without a patch, and connections that broke; those of the warm-up too. */
  readonly errors: number;
  readonly firstError: string | undefined;
  /** Of one core, of this process, the warm-up included. */
  readonly cpuShare: number;
}

const PODS = 500;
const USERS = 100;
const NAMESPACES = 20;
/** More reviews at once wait for one of them; the API server has its own limit of requests. */
const MOST_CONNECTIONS = 200;
/** After the end; what is not answered by then is an error. */
const GRACE_MS = 5_000;

async function run({ port, bytes, pace, warmUpMs, forMs }: ReviewLoad): Promise<ReviewFigures> {
  const requests = Array.from({ length: PODS }, (_, n) => requestOf(n, bytes));
  const idle: KeptConnection[] = [];
  const waiting: (() => void)[] = [];
  const tookMs: number[] = [];
  const cpu = process.cpuUsage();
  const begunAt = performance.now();
  const countFrom = begunAt + warmUpMs;
  const endAt = countFrom + forMs;
  let [sent, free, errors] = [0, MOST_CONNECTIONS, 0];
  let firstError: string | undefined;

  const ask = async (dueAt: number): Promise<void> => {
    if (free === 0) await new Promise<void>((resolve) => waiting.push(resolve));
    else free -= 1;
    try {
      if (performance.now() > endAt + GRACE_MS) throw new Error('the review could not be sent in time');
      const connection = idle.pop() ?? (await KeptConnection.open(port));
      const request = requests[sent % PODS] ?? Buffer.alloc(0);
      sent += 1;
      const answer = await connection.ask(request);
      idle.push(connection);
      if (!answer.startsWith('HTTP/1.1 200 ') || !answer.includes('"patchType":"JSONPatch"'))
        throw new Error(answer);
      if (dueAt >= countFrom) tookMs.push(performance.now() - dueAt);
    } catch (error) {
      errors += 1;
      firstError ??= String(error);
    } finally {
      const next = waiting.shift();
      if (next === undefined) free += 1;
      else next();
    }
  };

  if ('callers' in pace) {
    const callers = Array.from({ length: pace.callers }, async () => {
      for (let now = performance.now(); now < endAt; now = performance.now()) await ask(now);
    });
    await Promise.all(callers);
  } else {
    const asked: Promise<void>[] = [];
    for (let dueAt = begunAt; dueAt < endAt; dueAt += 1_000 / pace.perSecond) {
      const early = dueAt - performance.now();
      if (early > 0) await delay(early);
      asked.push(ask(dueAt));
    }
    await Promise.all(asked);
  }
  const seconds = (performance.now() - countFrom) / 1_000;
  const { user, system } = process.cpuUsage(cpu);
  for (const connection of idle) connection.close();
  tookMs.sort((one, other) => one - other);
  const at = (part: number): number => tookMs[Math.floor(part * (tookMs.length - 1))] ?? Number.NaN;
  return {
    answered: tookMs.length,
    perSecond: tookMs.length / seconds,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    connections: idle.length,
    sent,
    errors,
    firstError,
    cpuShare: (user + system) / 1_000_000 / (seconds + warmUpMs / 1_000),
  };
}

function requestOf(n: number, bytes: number): Buffer {
  const object = podOfSize({ name: `train-${n}`, namespace: `team-${n % NAMESPACES}`, bytes });
  const body = reviewBytesOf({ uid: `705ab4f5-6393-11e8-${n}`, user: `user${n % USERS}`, object });
  const head = [
    'POST /mutate?timeout=5s HTTP/1.1',
    'Host: kerbridge-decorate.kerbridge.svc',
    'User-Agent: kube-apiserver-admission',
    `Content-Length: ${body.length}`,
    'Accept: application/json, */*',
    'Content-Type: application/json',
    '\r\n',
  ];
  return Buffer.concat([Buffer.from(head.join('\r\n')), body]);
}

process.on('message', (order: ReviewLoad) => {
  void run(order).then((figures) => tellParent(figures));
});
process.on('disconnect', () => process.exit(0));
tellParent({});
