// Reads a file as fast as it can until SIGTERM, and compares each reading with the contents that it may have:
//   node read-loop.ts FILE CONTENT...
import { readFileSync } from 'node:fs';

const [file = '', ...contents] = process.argv.slice(2);
const allowed = contents.map((path) => readFileSync(path));
const seen = { readings: 0, each: allowed.map(() => 0), faults: [] as string[] };
const end = new AbortController();
process.on('SIGTERM', () => end.abort());
process.stdout.write('reading\n');

while (!end.signal.aborted) {
  // Signals are heard between rounds only.
  for (let round = 0; round < 200; round += 1) {
    seen.readings += 1;
    try {
      const content = readFileSync(file);
      const which = allowed.findIndex((each) => each.equals(content));
      if (which === -1) seen.faults.push(`${content.length} bytes`);
      else seen.each[which] = (seen.each[which] ?? 0) + 1;
    } catch (error) {
      seen.faults.push(String(error));
    }
  }
  await new Promise((resolve) => setImmediate(resolve));
}
process.stdout.write(JSON.stringify({ ...seen, faults: seen.faults.slice(0, 10) }));
