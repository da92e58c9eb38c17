// Runs the measurements named on the command line, or all: node test/bench/run.ts [name...]
import type { Bench } from './bench.ts';
import { reflectorBench } from './reflector/reflector.bench.ts';
import { tokenFilterBench } from './token-filter/token-filter.bench.ts';

const benches: readonly Bench[] = [reflectorBench, tokenFilterBench];

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !benches.some((bench) => bench.name === name));
if (unknown.length > 0) {
  process.stderr.write(
    `unknown: ${unknown.join(', ')}; there is: ${benches.map(({ name }) => name).join(', ')}\n`,
  );
  process.exit(2);
}
for (const { name, run } of benches) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  process.stdout.write(`${name}\n`);
  await run((line) => process.stdout.write(`  ${line}\n`));
}
