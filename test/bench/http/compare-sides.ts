import type { LoadOrder } from './load.ts';
import type { Side } from './process.ts';
import { type HttpWorld, median } from './world.ts';

/** One side in one round. */
export interface RoundFigures {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Processor time of the server for one request, in µs. */
  readonly cpuMicros: number;
  /** Of the processor, while it ran: what made the load, and the server. */
  readonly loadPart: number;
  readonly serverPart: number;
}

export type Order = Omit<LoadOrder, 'port' | 'firstToken'>;

/** Runs the sides in turn, so many rounds, every other one backwards: what else the machine does meets all of them. */
export async function compareSides<Name extends string>(
  world: HttpWorld,
  sides: Readonly<Record<Name, Side>>,
  { rounds, order }: { readonly rounds: number; readonly order: Order },
): Promise<Readonly<Record<Name, readonly RoundFigures[]>>> {
  const names = Object.keys(sides) as Name[];
  const figures = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<
    Name,
    RoundFigures[]
  >;
  const next = Object.fromEntries(names.map((name) => [name, 0])) as Record<Name, number>;
  for (let round = 0; round < rounds; round += 1) {
    for (const name of round % 2 === 0 ? names : names.toReversed()) {
      const side = sides[name];
      const before = await side.cpuMs();
      const got = await world.load({
        ...order,
        port: (order.tls ? side.tlsPort : undefined) ?? side.port,
        firstToken: next[name],
      });
      const cpuMs = (await side.cpuMs()) - before;
      next[name] += got.sent;
      const wallMs = order.warmUpMs + got.seconds * 1000;
      figures[name].push({
        perSecond: got.requests / got.seconds,
        p50Ms: got.p50Ms,
        p99Ms: got.p99Ms,
        cpuMicros: (cpuMs * 1000) / got.sent,
        loadPart: got.cpuMs / wallMs,
        serverPart: cpuMs / wallMs,
      });
    }
  }
  return figures;
}

/** The median of the ratios of each round. */
export function ratioOf(
  some: readonly RoundFigures[],
  others: readonly RoundFigures[],
  pick: (one: RoundFigures) => number,
): number {
  return median(some.map((one, round) => pick(one) / pick(others[round] ?? one)));
}

export function describeSide(name: string, figures: readonly RoundFigures[]): string {
  const of = (pick: (one: RoundFigures) => number, digits = 0): string =>
    median(figures.map(pick)).toFixed(digits);
  const percent = (pick: (one: RoundFigures) => number): string => of((one) => 100 * pick(one));
  return (
    `${name.padEnd(16)} ${of((one) => one.perSecond).padStart(6)} requests/s, p50 ${of((one) => one.p50Ms, 2)} ms, ` +
    `p99 ${of((one) => one.p99Ms, 2)} ms; server ${of((one) => one.cpuMicros, 1)} µs of CPU a request ` +
    `(${percent((one) => one.serverPart)} % of one), load ${percent((one) => one.loadPart)} %`
  );
}
