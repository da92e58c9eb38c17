import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Bench } from '../bench.ts';
import type { Side, SideFigures } from './measure-side.ts';
import { POD_COUNT, podJson } from './pod-json.ts';

/** Sides take turns, so that what else the machine does meets all of them. */
const WHOLE = {
  rounds: 2,
  sides: ['reflector', 'reflector with signatures', 'whole objects'],
} as const satisfies Plan;
/** Unless it is asked for by name: once, and only what `serve` does. Whole objects take the longest by far. */
const SHORT = { rounds: 1, sides: ['reflector with signatures'] } as const satisfies Plan;

interface Plan {
  readonly rounds: number;
  readonly sides: readonly Side[];
}

/**
 * 100,000 pods through the pod reflector and the transport, as they run in production, from an API endpoint on loopback;
 * beside it a reflector that keeps whole objects.
 */
export const reflectorBench: Bench = {
  name: 'reflector',
  run: async (print, _record, { isNamed }) => {
    const plan = isNamed ? WHOLE : SHORT;
    const server = spawn(process.execPath, [join(import.meta.dirname, 'pod-server.ts')], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const folder = await mkdtemp(join(tmpdir(), 'kerbridge-bench-'));
    try {
      const [port] = (await once(createInterface(server.stdout), 'line')) as [string];
      const kubeconfig = join(folder, 'kubeconfig');
      await writeFile(kubeconfig, kubeconfigFor(`http://127.0.0.1:${port}`));
      const figures = new Map<Side, SideFigures[]>();
      for (let round = 0; round < plan.rounds; round += 1) {
        for (const side of plan.sides) {
          figures.set(side, [...(figures.get(side) ?? []), await measure(side, kubeconfig)]);
        }
      }
      report(figures, plan, print);
    } finally {
      server.kill();
      await rm(folder, { recursive: true, force: true });
    }
  },
};

async function measure(side: Side, kubeconfig: string): Promise<SideFigures> {
  const child = spawn(
    process.execPath,
    ['--expose-gc', join(import.meta.dirname, 'measure-side.ts'), side, kubeconfig],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`${side} ended with ${code}`);
  const figures = JSON.parse(text) as SideFigures;
  if (figures.pods !== POD_COUNT) throw new Error(`${side} holds ${figures.pods} pods of ${POD_COUNT}`);
  return figures;
}

function report(
  figures: ReadonlyMap<Side, readonly SideFigures[]>,
  { rounds, sides }: Plan,
  print: (line: string) => void,
): void {
  const each = (side: Side, pick: (one: SideFigures) => number, digits = 0): string =>
    (figures.get(side) ?? []).map((one) => pick(one).toFixed(digits)).join(' / ');
  const bytes = Buffer.byteLength(podJson(POD_COUNT - 1, 1_000_000));
  print(
    `${POD_COUNT} pods of ${bytes} bytes as JSON; the figures of ${rounds} runs a side, which took turns`,
  );
  for (const side of sides) {
    print(`${side}:`);
    print(`  heap, bytes a pod:        ${each(side, (one) => one.heapBytes / one.pods)}`);
    print(`  RSS, bytes a pod:         ${each(side, (one) => one.rssBytes / one.pods)}`);
    print(
      `  sync, s (${each(side, (one) => one.pages)} pages): ${each(side, (one) => one.syncMs / 1000, 1)}`,
    );
    for (const part of ['p50', 'p99', 'max'] as const) {
      print(`  event-loop delay, ms, ${part}: ${each(side, (one) => one.delayMs[part], 1)}`);
    }
    if (figures.get(side)?.[0]?.events === undefined) continue;
    print(`  watch events a second:    ${each(side, (one) => one.events?.perSecond ?? 0)}`);
    for (const part of ['p50', 'p99', 'max'] as const) {
      print(`  sent to seen, ms, ${part}:    ${each(side, (one) => one.events?.delayMs[part] ?? 0, 1)}`);
    }
  }
  if (!figures.has('whole objects')) return;
  const ratio = (side: Side): string =>
    (figures.get('whole objects') ?? [])
      .map((one, i) => (one.heapBytes / (figures.get(side)?.[i]?.heapBytes ?? Number.NaN)).toFixed(1))
      .join(' / ');
  print(`heap of whole objects to reflector: ${ratio('reflector')}`);
  print(`heap of whole objects to reflector with signatures: ${ratio('reflector with signatures')}`);
}

function kubeconfigFor(server: string): string {
  return JSON.stringify({
    clusters: [{ name: 'bench', cluster: { server, 'insecure-skip-tls-verify': true } }],
    users: [{ name: 'bench', user: {} }],
    contexts: [{ name: 'bench', context: { cluster: 'bench', user: 'bench' } }],
    'current-context': 'bench',
  });
}
