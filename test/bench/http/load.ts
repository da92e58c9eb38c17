// Generates load, in a process of its own:
//   node load.ts FILE   (one service-account token a line)
// Each message of its parent is a LoadOrder; the answer is a LoadFigures.
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { tellParent } from './process.ts';

export interface LoadOrder {
  readonly port: number;
  readonly tls: boolean;
  readonly connections: number;
  /** A connection for each request, instead of one for all. */
  readonly newConnections: boolean;
  readonly warmUpMs: number;
  readonly forMs: number;
  /** The first of the tokens that is sent; the others follow in turn. */
  readonly firstToken: number;
  /** Ends earlier when so many were sent. */
  readonly maxRequests?: number;
}

export interface LoadFigures {
  readonly requests: number;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** All that were sent, those of the warm-up included. */
  readonly sent: number;
  /** Answers that were no 200, and connections that broke. */
  readonly errors: number;
  /** ms of processor time that this process has used. */
  readonly cpuMs: number;
  /** The last answer whole, in latin1. */
  readonly sample: string;
}

const requests = readFileSync(process.argv[2] ?? '', 'utf8')
  .trimEnd()
  .split('\n')
  .map((token) =>
    Buffer.from(
      [
        'GET /v1/credentials HTTP/1.1',
        `Authorization: Bearer ${token}`,
        'Accept: application/octet-stream',
        'User-Agent: kerbridge-fetch/0.1.0',
        'Host: kerbridge.kerbridge.svc',
        'Connection: keep-alive',
        '\r\n',
      ].join('\r\n'),
    ),
  );

async function run(order: LoadOrder): Promise<LoadFigures> {
  const cpu = process.cpuUsage();
  const startAt = performance.now() + order.warmUpMs;
  const endAt = startAt + order.forMs;
  const latencies: number[] = [];
  let sent = 0;
  let errors = 0;
  let sample = '';
  const isOver = (): boolean =>
    performance.now() >= endAt || (order.maxRequests !== undefined && sent >= order.maxRequests);

  const open = (): Socket =>
    order.tls
      ? connectTls({ port: order.port, host: '127.0.0.1', rejectUnauthorized: false })
      : connect({ port: order.port, host: '127.0.0.1', noDelay: true });

  const talk = (): Promise<void> =>
    new Promise((resolve) => {
      /** undefined: we have closed it. */
      let socket: Socket | undefined;
      let sentAt = 0;
      let answer = '';
      const close = (): void => {
        const closing = socket;
        socket = undefined;
        closing?.destroy();
      };
      const send = (): void => {
        if (isOver()) {
          close();
          resolve();
          return;
        }
        if (!order.newConnections) sentAt = performance.now();
        socket?.write(requests[(order.firstToken + sent) % requests.length] ?? '');
        sent += 1;
      };
      const take = (chunk: string): void => {
        answer = answer === '' ? chunk : answer + chunk;
        if (!isWhole(answer)) return;
        const now = performance.now();
        if (now >= startAt && now < endAt) latencies.push(now - sentAt);
        if (!answer.startsWith('HTTP/1.1 200 ')) errors += 1;
        sample = answer;
        answer = '';
        if (order.newConnections) {
          close();
          begin();
        } else send();
      };
      const begin = (): void => {
        if (isOver()) {
          resolve();
          return;
        }
        sentAt = performance.now();
        const opened = open();
        socket = opened;
        opened.setEncoding('latin1').on('data', take);
        opened.on('error', () => undefined);
        opened.on('close', () => {
          if (socket !== opened) return;
          errors += 1;
          resolve();
        });
        opened.once(order.tls ? 'secureConnect' : 'connect', send);
      };
      begin();
    });

  await Promise.all(Array.from({ length: order.connections }, talk));
  const { user, system } = process.cpuUsage(cpu);
  latencies.sort((one, other) => one - other);
  const at = (part: number): number => latencies[Math.floor(part * (latencies.length - 1))] ?? Number.NaN;
  return {
    requests: latencies.length,
    seconds: (Math.min(performance.now(), endAt) - startAt) / 1000,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    sent,
    errors,
    cpuMs: (user + system) / 1000,
    sample,
  };
}

/** Whether head and body are there. */
function isWhole(answer: string): boolean {
  const end = answer.indexOf('\r\n\r\n');
  if (end === -1) return false;
  const at = answer.indexOf('Content-Length: ') + 16;
  return answer.length >= end + 4 + Number(answer.slice(at, answer.indexOf('\r\n', at)));
}

process.on('message', (order: LoadOrder) => {
  void run(order).then((figures) => tellParent(figures));
});
process.on('disconnect', () => process.exit(0));
tellParent({});
