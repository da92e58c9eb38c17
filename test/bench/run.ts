// Runs the parts named after --only, or all: node test/bench/run.ts [--only part[,part...]]
// Prints a table at the end and writes its figures to bench-results.json in the working directory.
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import type { Bench } from './bench.ts';
import { coldBench } from './cold/cold.bench.ts';
import { decorateBench } from './decorate/decorate.bench.ts';
import { freshBench } from './http/fresh.bench.ts';
import { hotBench } from './http/hot.bench.ts';
import { reflectorBench } from './reflector/reflector.bench.ts';
import { scaleBench } from './scale/scale.bench.ts';
import { stormBench } from './storm/storm.bench.ts';
import { tokenFilterBench } from './token-filter/token-filter.bench.ts';

/** In this order. A new part is added here, and in the table of README.md. */
const parts: readonly Bench[] = [
  hotBench,
  freshBench,
  tokenFilterBench,
  reflectorBench,
  scaleBench,
  coldBench,
  stormBench,
  decorateBench,
];
const RESULTS_FILE = 'bench-results.json';

const { values, positionals } = parseArgs({
  options: { only: { type: 'string', multiple: true } },
  allowPositionals: true,
});
const wanted = [...(values.only ?? []).flatMap((names) => names.split(',')), ...positionals];
const unknown = wanted.filter((name) => !parts.some((part) => part.name === name));
if (unknown.length > 0) {
  process.stderr.write(
    `unknown: ${unknown.join(', ')}; there is: ${parts.map(({ name }) => name).join(', ')}\n`,
  );
  process.exit(2);
}
const results: Record<string, number> = {};
const tookSeconds: [name: string, seconds: number][] = [];
for (const { name, run } of parts) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  process.stdout.write(`${name}\n`);
  const startedAt = performance.now();
  await run(
    (line) => process.stdout.write(`  ${line}\n`),
    (key, value) => {
      results[key] = Number(value.toPrecision(4));
    },
    { isNamed: wanted.includes(name) },
  );
  const seconds = (performance.now() - startedAt) / 1000;
  tookSeconds.push([name, seconds]);
  process.stdout.write(`  ${name} took ${seconds.toFixed(0)} s\n`);
}
const parted = tookSeconds.map(([name, seconds]) => `${name} ${seconds.toFixed(0)} s`).join(', ');
const total = tookSeconds.reduce((sum, [, seconds]) => sum + seconds, 0);
process.stdout.write(`\nall within ${total.toFixed(0)} s: ${parted}\n`);
const rows = Object.entries(results).map(([key, value]) => `  ${key.padEnd(28)} ${value}\n`);
process.stdout.write(`\nresults, also in ${RESULTS_FILE}\n${rows.join('')}`);
await writeFile(RESULTS_FILE, `${JSON.stringify(results, undefined, 2)}\n`);
