import { createHash } from 'node:crypto';
import { createServer } from 'node:net';
import { readTextIfPresent } from './files.ts';
import { UsageError } from './usage-error.ts';

/** Every port the stack listens on; all of them on 127.0.0.1. */
export const portNames = [
  'kdc',
  'hdfs-rpc',
  'hdfs-http',
  'hdfs-datanode',
  'hdfs-datanode-http',
  'hdfs-datanode-ipc',
  'hdfs-datanode-internal',
  'hdfs-control',
  'ha-nn0-rpc',
  'ha-nn0-http',
  'ha-nn1-rpc',
  'ha-nn1-http',
  'ha-datanode',
  'ha-datanode-http',
  'ha-datanode-ipc',
  'ha-datanode-internal',
  'ha-control',
  'etcd-client',
  'etcd-peer',
  'kube-apiserver',
  'kube-controller-manager',
  'prometheus',
] as const;

export type PortName = (typeof portNames)[number];
export type Ports = Readonly<Record<PortName, number>>;

/** Ports below this are taken by common servers too often to try them. */
const lowestPort = 15_000;

export function isPortName(name: string): name is PortName {
  return (portNames as readonly string[]).includes(name);
}

/**
 * Reads one `name=number`.
 * @throws Error that names the known ports, or the range.
 */
export function parsePort(text: string): readonly [PortName, number] {
  const [name = '', number = '', ...rest] = text.split('=');
  if (rest.length > 0 || !text.includes('=')) {
    throw new Error(`not a port: ${JSON.stringify(text)}; write name=number, as in hdfs-http=19870`);
  }
  if (!isPortName(name)) {
    throw new Error(`unknown port ${JSON.stringify(name)}; the ports are ${portNames.join(', ')}`);
  }
  if (!/^[1-9][0-9]{0,4}$/.test(number) || Number(number) > 65_535) {
    throw new Error(`port ${name}: not a port number: ${JSON.stringify(number)}; want 1 to 65535`);
  }
  return [name, Number(number)];
}

export interface PortChoice {
  /** From an earlier `up`; partial or empty at the first one. */
  readonly remembered: Partial<Ports>;
  /** Asked for, now or by an earlier `up`: never changed for another. */
  readonly pinned: Partial<Ports>;
  /** Ports that a running part of this very stack listens on. */
  readonly inUse: ReadonlySet<number>;
  readonly isFree: (port: number) => Promise<boolean>;
  /** Where to start looking; stacks in different folders start at different places. */
  readonly seed: string;
  /** The first port the kernel gives to outgoing connections; from there on a free port may be taken any moment. */
  readonly ephemeralFrom: number;
}

/**
 * A number for every name: pinned, else remembered, else free and below the ephemeral range. A remembered one that
 * somebody else took while the stack was down is replaced.
 * @throws UsageError for a port given twice, Error for a pinned port that is taken.
 */
export async function choosePorts(choice: PortChoice): Promise<Ports> {
  const chosen = new Map<PortName, number>();
  const usable = async (port: number): Promise<boolean> =>
    choice.inUse.has(port) || (await choice.isFree(port));
  const usedBy = (port: number): PortName | undefined =>
    [...chosen].find(([, chosenPort]) => chosenPort === port)?.[0];

  for (const name of portNames) {
    const port = choice.pinned[name];
    if (port === undefined) {
      continue;
    }
    const other = usedBy(port);
    if (other !== undefined) {
      throw new UsageError(`port ${port} is asked for twice: ${other} and ${name}`);
    }
    if (!(await usable(port))) {
      throw new Error(
        `port ${name}: ${port} on 127.0.0.1 is taken by another program; name another with --port`,
      );
    }
    chosen.set(name, port);
  }
  for (const name of portNames) {
    const port = choice.remembered[name];
    if (port !== undefined && !chosen.has(name) && usedBy(port) === undefined && (await usable(port))) {
      chosen.set(name, port);
    }
  }
  let next = startOf(choice.seed, choice.ephemeralFrom);
  for (const name of portNames) {
    let tries = 0;
    while (!chosen.has(name)) {
      if (usedBy(next) === undefined && (await choice.isFree(next))) {
        chosen.set(name, next);
      }
      next = next + 1 < choice.ephemeralFrom ? next + 1 : lowestPort;
      tries += 1;
      if (tries > choice.ephemeralFrom) {
        throw new Error(`port ${name}: no free port between ${lowestPort} and ${choice.ephemeralFrom}`);
      }
    }
  }
  return Object.fromEntries(chosen) as Ports;
}

/** Blocks of 40 ports, picked by the seed. */
function startOf(seed: string, ephemeralFrom: number): number {
  const blocks = Math.max(1, Math.floor((ephemeralFrom - lowestPort) / 40) - 1);
  const hash = createHash('sha256').update(seed).digest().readUInt32BE(0);
  return lowestPort + (hash % blocks) * 40;
}

/** Whether a server could listen there now: on loopback, and nobody listens on all addresses. */
export async function isPortFree(port: number): Promise<boolean> {
  return (await canListen('127.0.0.1', port)) && (await canListen('0.0.0.0', port));
}

function canListen(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/** First port of the kernel's ephemeral range (ip(7), ip_local_port_range). */
export async function ephemeralPortsFrom(): Promise<number> {
  const text = (await readTextIfPresent('/proc/sys/net/ipv4/ip_local_port_range')) ?? '';
  const from = Number(text.trim().split(/\s+/)[0]);
  return Number.isInteger(from) && from > lowestPort + 1000 ? from : 32_768;
}
