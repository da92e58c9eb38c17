import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { decodeCredentials } from '../../../src/hadoop/codec/credentials.ts';
import { decodeTokenIdentifier } from '../../../src/hadoop/codec/token-identifier.ts';
import { ServeWorld } from '../serve/serve-world.ts';
import type { ServeProcess } from '../serve-process.ts';
import { CLIENTS } from './clients.ts';
import { FetchWorld } from './fetch-world.ts';

// What the fake server is in the place of: the real one, with tokens of the real NameNode.
describe.each(CLIENTS)('$name, of a real kerbridge serve,', (client) => {
  let world: ServeWorld;
  let serve: ServeProcess;

  beforeAll(async () => {
    world = await ServeWorld.create();
    serve = await world.serve();
  });

  afterAll(async () => await world[Symbol.asyncDispose]());

  it.each(['writable', 'protobuf'])('gets a token of the real NameNode (%s)', async (format) => {
    await using pod = await FetchWorld.create(client);
    await pod.putToken((await world.pod({ user: 'alice' })).serviceAccountToken);
    const { exit, output } = await pod.run(serve.url, [`--format=${format}`, '--kind=HDFS_DELEGATION_TOKEN']);
    expect({ exit, output }).toEqual({
      exit: 0,
      output: expect.stringMatching(/written to .*\(request [\w-]+\)/),
    });
    const decoded = decodeCredentials((await pod.read()) ?? Buffer.alloc(0));
    expect(decoded.format).toBe(format);
    const [first] = decoded.credentials.tokens;
    expect(
      decodeTokenIdentifier(first?.token.kind ?? '', first?.token.identifier ?? Buffer.alloc(0)).owner,
    ).toBe('alice');
    await pod.expectClean();
  });

  it('is refused as a pod that speaks for nobody, and keeps the file', async () => {
    await using pod = await FetchWorld.create(client);
    await pod.putToken((await world.pod({})).serviceAccountToken);
    const process = await pod.start(serve.url);
    await pod.expectEnd(process, { exit: 3, file: 'old', says: /403 not-allowed: .*\(request [\w-]+\)/ });
    await pod.expectClean();
  });

  it('is refused with a token that is none of the cluster', async () => {
    await using pod = await FetchWorld.create(client);
    const process = await pod.start(serve.url);
    await pod.expectEnd(process, { exit: 3, file: 'old', says: /401 not-authenticated/ });
    await pod.expectClean();
  });

  it('watches, and finds when its tokens end', async () => {
    await using pod = await FetchWorld.create(client);
    await pod.putToken((await world.pod({ user: 'alice' })).serviceAccountToken);
    const process = await pod.start(serve.url, ['--watch']);
    await pod.statusIs('ok');
    const status = await pod.status();
    expect(status['sequenceNumbers']).toMatch(/^\d+$/);
    expect(status['etag']).toMatch(/^(W\/)?".+"$/);
    // The stack's maximum life is longer than a minute.
    expect(Number(status['validUntil'])).toBeGreaterThan(Date.now() / 1000);
    expect(await pod.healthy()).toEqual({ exit: 0, output: '' });
    process.kill('SIGTERM');
    expect(await process.end()).toBe(0);
    await pod.expectClean();
  });
});
