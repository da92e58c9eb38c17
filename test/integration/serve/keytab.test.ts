import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { hdfsControl, kdcAdmin } from '../../stack/stack.ts';
import type { KdcAdmin } from '../../stack/stack.ts';
import { waitFor } from '../serve-process.ts';
import { askCredentials, ServeWorld } from './serve-world.ts';

describe('the keytab of serve', () => {
  let world: ServeWorld;
  let kdc: KdcAdmin;
  // Its short name is kerbridge too, so the NameNode's proxy-user rules hold for it.
  let principal: string;
  let keytab: string;

  beforeAll(async () => {
    world = await ServeWorld.create();
    await hdfsControl(world.stack.hdfs).reset();
    kdc = kdcAdmin(world.stack);
    principal = `kerbridge/rotated-${process.pid}@${world.stack.realm}`;
    keytab = join(world.folder, 'rotated.keytab');
    await kdc.addPrincipal(principal, { keytab });
  });

  afterAll(async () => {
    await kdc.deletePrincipal(principal);
    await world[Symbol.asyncDispose]();
  });

  it('stale: 503 with the fix in the log; replaced: works without a restart', async () => {
    await kdc.rotateKey(principal);
    const serve = await world.serve(
      { clusters: [world.cluster({ keytab, principal })] },
      { untilReady: false },
    );
    const { serviceAccountToken } = await world.pod({ user: 'alice' });
    const stale = await askCredentials(serve, serviceAccountToken);
    expect(stale.status).toBe(503);
    expect(stale.json).toMatchObject({ code: 'kerberos-unavailable' });
    expect(stale.bytes.toString()).not.toMatch(/keytab|principal/);
    const line = await serve.logLineOf(stale.json['requestId']);
    expect(line).toMatchObject({ reason: 'authentication' });
    expect(JSON.stringify(line)).toMatch(/keytab/);
    expect((await fetch(`${serve.adminUrl}/readyz`)).status).toBe(503);

    const fresh = join(world.folder, 'fresh.keytab');
    await kdc.exportKeytab([principal], fresh);
    await rename(fresh, keytab);
    const { pid } = serve;
    expect((await askCredentials(serve, serviceAccountToken)).status).toBe(200);
    expect(process.kill(pid, 0)).toBe(true);
    await waitFor(async () => (await fetch(`${serve.adminUrl}/readyz`)).status === 200);

    // Once more, this time while it works: the old key is dead, the new file is picked up at the next handshake.
    await kdc.rotateKey(principal);
    await kdc.exportKeytab([principal], fresh);
    await rename(fresh, keytab);
    await hdfsControl(world.stack.hdfs).restart(0); // its cookie is refused now, so a handshake is due
    const elsewhere = await world.pod({ user: 'alice' }, { namespace: await world.anotherNamespace() });
    expect((await askCredentials(serve, elsewhere.serviceAccountToken)).status).toBe(200);
  });
});
