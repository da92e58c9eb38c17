import { describe, expect, it } from '@jest/globals';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CLIENTS } from './clients.ts';
import { credentials } from './fake-serve.ts';
import { FetchWorld } from './fetch-world.ts';
import { readWhile } from './read-while.ts';

/** Each of them a process of its own: `readers.test.ts` has the thousand. */
const RUNS = 20;

describe.each(CLIENTS)('a reader of the file of $name', (client) => {
  it(`never sees half of it, nor none, in ${RUNS} whole runs`, async () => {
    await using world = await FetchWorld.create(client);
    const contents = [join(world.folder, 'old'), join(world.folder, 'new')];
    await writeFile(contents[0] ?? '', world.old);
    await writeFile(contents[1] ?? '', world.new);
    const server = await world.serve([]);
    const seen = await readWhile(world, contents, async () => {
      for (let each = 0; each < RUNS; each += 1) {
        server.answers = [credentials(each % 2 === 0 ? world.new : world.old)];
        expect((await world.run(server.url)).exit).toBe(0);
      }
    });
    expect(seen.faults).toEqual([]);
    expect(Math.min(...seen.each)).toBeGreaterThan(10);
    await world.expectClean();
  });
});
