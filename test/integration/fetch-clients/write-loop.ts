// Replaces a file many times by what `kerbridge fetch` writes files with:
//   node write-loop.ts FOLDER-OF-MAIN FILE COUNT CONTENT...
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const [source = '', file = '', count = '', ...contents] = process.argv.slice(2);
const module: unknown = await import(join(source, 'fetch-client/write-token-file.ts'));
const { writeTokenFiles } = module as {
  writeTokenFiles: (
    bytes: Uint8Array,
    options: { paths: readonly string[]; mode: number },
  ) => Promise<unknown>;
};
const bytes = contents.map((path) => readFileSync(path));
for (let write = 0; write < Number(count); write += 1) {
  await writeTokenFiles(bytes[write % bytes.length] ?? Buffer.alloc(0), { paths: [file], mode: 0o600 });
}
