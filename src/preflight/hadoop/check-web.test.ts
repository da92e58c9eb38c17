import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock } from '../../../test/fakes/fake-clock.ts';
import type { FakeReply } from '../../../test/fakes/fake-namenode-replies.ts';
import { FakeNameNode } from '../../../test/fakes/fake-namenode.ts';
import { HadoopHttpClient } from '../../hadoop/http/hadoop-http-client.ts';
import { judgeWeb, probeWeb } from './check-web.ts';

const KERBERIZE =
  /hadoop\.http\.authentication\.type = kerberos .* dfs\.web\.authentication\.kerberos\.keytab/;

let nameNode: FakeNameNode;
let http: HadoopHttpClient;

beforeEach(async () => {
  const clock = new FakeClock();
  nameNode = await FakeNameNode.start({ clock });
  http = new HadoopHttpClient({ clock, allowPlainHttp: true });
});

afterEach(async () => {
  http.close();
  await nameNode[Symbol.asyncDispose]();
});

const check = async ({ anotherAnswers = false, origin = nameNode.origin } = {}) => {
  const target = { name: 'main/ns/nn1', origin, spnHost: 'localhost', addressProperty: 'x' };
  return judgeWeb(await probeWeb(target, http, new AbortController().signal), { anotherAnswers });
};

const json = (status: number, exception: string, message: string): FakeReply => ({
  status,
  headers: { 'Content-Type': 'application/json' },
  body: JSON.stringify({ RemoteException: { exception, javaClassName: `x.${exception}`, message } }),
});

describe('the web side of a NameNode', () => {
  it('is well when it wants Kerberos, and is shown no credentials', async () => {
    expect((await check()).map(({ id, outcome }) => `${id} ${outcome}`)).toEqual([
      'namenode:main/ns/nn1 ok',
      'http-authentication:main/ns/nn1 ok',
    ]);
    expect(nameNode.requests).toHaveLength(1);
    expect(nameNode.requests[0]?.headers).not.toHaveProperty('authorization');
  });

  it.each([
    ['is open', { status: 200, headers: {}, body: '{"Path":"/user/dr.who"}' }],
    ['has no filter', json(403, 'IOException', 'Security enabled but user not authenticated by filter')],
    ['wants Basic', { status: 401, headers: { 'WWW-Authenticate': 'Basic realm="x"' }, body: '' }],
    ['wants a user.name', { status: 401, headers: { 'WWW-Authenticate': 'PseudoAuth' }, body: '' }],
    [
      'has something like Negotiate',
      { status: 401, headers: { 'WWW-Authenticate': 'Negotiator' }, body: '' },
    ],
  ])('is not kerberized when it %s', async (_, reply) => {
    nameNode.answerAll = reply;
    expect((await check())[1]).toMatchObject({
      id: 'http-authentication:main/ns/nn1',
      outcome: 'failed',
      fix: expect.stringMatching(KERBERIZE),
    });
  });

  it.each([
    [404, /dfs\.webhdfs\.enabled/],
    [302, /address of the Hadoop daemon itself/],
    [500, /Look at what listens at http:\/\/localhost/],
  ])('is something else when it answers %d', async (status, fix) => {
    nameNode.answerAll = { status, headers: {}, body: '' };
    const [, filter] = await check();
    expect(filter).toMatchObject({ outcome: 'failed', fix: expect.stringMatching(fix) });
    expect(filter?.fix).not.toMatch(KERBERIZE);
  });

  it('fails when it is out of reach, and warns while another one answers', async () => {
    const { origin } = nameNode;
    await nameNode[Symbol.asyncDispose]();
    const [finding, ...others] = await check({ origin });
    expect(others).toEqual([]);
    expect(finding).toMatchObject({
      id: 'namenode:main/ns/nn1',
      outcome: 'failed',
      detail: expect.stringContaining('connection refused (ECONNREFUSED)'),
      fix: expect.stringContaining('Check that the daemon runs'),
    });
    expect(await check({ origin, anotherAnswers: true })).toMatchObject([{ outcome: 'warning' }]);
  });

  it('fails for plain HTTP where that is not allowed', async () => {
    http.close();
    http = new HadoopHttpClient({ clock: new FakeClock() });
    expect(await check()).toMatchObject([
      { outcome: 'failed', fix: expect.stringContaining('allowPlainHttp') },
    ]);
  });
});
