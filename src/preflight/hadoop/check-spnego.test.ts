import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock } from '../../../test/fakes/fake-clock.ts';
import { FakeNameNode } from '../../../test/fakes/fake-namenode.ts';
import { FakeSpnegoInitiator } from '../../../test/fakes/fake-spnego-initiator.ts';
import { HadoopHttpClient } from '../../hadoop/http/hadoop-http-client.ts';
import { SpnegoSessions } from '../../hadoop/http/spnego-sessions.ts';
import { WEBHDFS_LOGIN } from '../../hadoop/webhdfs/webhdfs-token-service.ts';
import { checkSpnego } from './check-spnego.ts';

let clock: FakeClock;
let nameNode: FakeNameNode;
let http: HadoopHttpClient;
let spnego: FakeSpnegoInitiator;

beforeEach(async () => {
  clock = new FakeClock();
  nameNode = await FakeNameNode.start({ clock });
  http = new HadoopHttpClient({ clock, allowPlainHttp: true });
  spnego = new FakeSpnegoInitiator();
});

afterEach(async () => {
  http.close();
  await nameNode[Symbol.asyncDispose]();
});

const check = (renewer = 'kerbridge') => {
  const target = { name: 'main/ns/nn1', origin: nameNode.origin, spnHost: 'localhost', addressProperty: 'x' };
  const session = new SpnegoSessions({ http, spnego, clock, random: () => 0 }).at({
    ...target,
    login: WEBHDFS_LOGIN,
  });
  return checkSpnego({ target, session, renewer, clock }, new AbortController().signal);
};

describe('checkSpnego', () => {
  it('is well when we are taken, and known by the name of the renewer', async () => {
    const { findings } = await check();
    expect(findings.map(({ id, outcome }) => `${id} ${outcome}`)).toEqual([
      'spnego:main/ns/nn1 ok',
      'short-name:main/ns/nn1 ok',
    ]);
    expect(nameNode.handshakes).toBe(1);
  });

  it('names the renewer that would be refused', async () => {
    const { findings } = await check('other');
    expect(findings[1]).toMatchObject({
      id: 'short-name:main/ns/nn1',
      outcome: 'failed',
      detail: expect.stringContaining('it knows us as kerbridge'),
      fix: expect.stringMatching(/Set renewer of this cluster to kerbridge.*auth_to_local.* make other of/),
    });
  });

  it('names the stale keytab of the NameNode', async () => {
    nameNode.keyVersion = 2;
    const { findings, clock: reading } = await check();
    expect(findings).toMatchObject([
      {
        id: 'spnego:main/ns/nn1',
        outcome: 'failed',
        detail: expect.stringContaining('Checksum failed'),
        fix: expect.stringContaining('export the keytab anew'),
      },
    ]);
    expect(reading).toBeUndefined();
  });

  it('says what the NameNode says otherwise', async () => {
    nameNode.role = 'starting';
    const { findings } = await check();
    expect(findings).toMatchObject([{ outcome: 'failed', detail: expect.stringContaining('startup mode') }]);
  });

  it('only warns when the answer names nobody', async () => {
    nameNode.answerAll = { status: 200, headers: {}, body: 'hello' };
    const { findings } = await check();
    expect(findings.map(({ outcome }) => outcome)).toEqual(['ok', 'warning']);
  });

  it.each([
    [0, 'ok'],
    [90_000, 'warning'],
    [-400_000, 'failed'],
  ])('reads the clock off the reply: %d ms ahead', async (aheadMs, outcome) => {
    const date = new Date(clock.now() + aheadMs).toUTCString();
    // Hadoop's filter and Jetty each write one.
    nameNode.answerAll = {
      status: 200,
      headers: { Date: `${date}, ${date}` },
      body: '{"Path":"/user/kerbridge"}',
    };
    expect((await check()).clock).toMatchObject({ id: 'clock-namenode:main/ns/nn1', outcome });
  });
});
