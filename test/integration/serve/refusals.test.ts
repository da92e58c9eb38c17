import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { hdfsControl } from '../../stack/stack.ts';
import type { HdfsControl } from '../../stack/stack.ts';
import { waitFor } from '../serve-process.ts';
import type { ServeProcess } from '../serve-process.ts';
import { askCredentials, ServeWorld } from './serve-world.ts';
import type { Answer } from './serve-world.ts';
import { TamperingProxy } from './tampering-proxy.ts';

// The full list of attacks comes with full authentication; these are the refusals of the main path.
describe('refusals on the real API server, none of which reaches the NameNode', () => {
  let world: ServeWorld;
  let serve: ServeProcess;
  let proxy: TamperingProxy;
  let control: HdfsControl;
  let tokensBefore: number;

  beforeAll(async () => {
    world = await ServeWorld.create();
    control = hdfsControl(world.stack.hdfs);
    await control.reset();
    proxy = await TamperingProxy.before(world.stack.hdfs.nameNodes[0]?.httpUrl ?? '');
    const hadoopConf = await proxy.confDir(world.stack.hdfs, world.folder);
    serve = await world.serve({ clusters: [world.cluster({ hadoopConf })] });
    tokensBefore = (await control.tokens()).length;
  });

  afterAll(async () => {
    await world[Symbol.asyncDispose]();
    await proxy[Symbol.asyncDispose]();
  });

  const cases: [string, number, string, string, () => Promise<Answer>][] = [
    ['no token', 401, 'not-authenticated', 'no-bearer-token', () => askCredentials(serve, undefined)],
    [
      'garbage',
      401,
      'not-authenticated',
      'service-account-token-invalid',
      () => askCredentials(serve, 'aaa.bbb.ccc'),
    ],
    [
      'a token for another audience',
      401,
      'not-authenticated',
      'service-account-token-invalid',
      async () => {
        const { serviceAccountToken } = await world.pod({ user: 'alice' }, { audience: 'vault' });
        return await askCredentials(serve, serviceAccountToken);
      },
    ],
    [
      'an account token without a pod',
      401,
      'not-authenticated',
      'not-bound-to-a-pod',
      async () => {
        const token = await world.namespace.requestToken(['kerbridge'], {});
        return await askCredentials(serve, token.reveal());
      },
    ],
    [
      'a pod that has finished',
      401,
      'not-authenticated',
      'pod-finished',
      async () => {
        const { pod, serviceAccountToken } = await world.pod({ user: 'alice' });
        await world.namespace.setPhase(pod, 'Succeeded');
        return await askCredentials(serve, serviceAccountToken);
      },
    ],
    [
      'a pod without a stamp',
      403,
      'not-allowed',
      'no-stamp',
      async () => askCredentials(serve, (await world.pod({})).serviceAccountToken),
    ],
    ...(['hdfs', 'HDFS', 'root', 'kerbridge'] as const).map((user): (typeof cases)[number] => [
      `a pod stamped ${user}`,
      403,
      'not-allowed',
      'user-denied',
      async () => askCredentials(serve, (await world.pod({ user })).serviceAccountToken),
    ]),
    ...(['alice@KERBRIDGE.TEST', 'alice/admin', 'al ice', 'аlice', 'a'.repeat(300)] as const).map(
      (user): (typeof cases)[number] => [
        `a pod stamped ${user.slice(0, 20)}`,
        403,
        'not-allowed',
        'user-name-invalid',
        async () => askCredentials(serve, (await world.pod({ user })).serviceAccountToken),
      ],
    ),
    [
      'a pod of alice that asks to be bob',
      403,
      'not-allowed',
      'do-as-not-allowed',
      async () =>
        askCredentials(serve, (await world.pod({ user: 'alice' })).serviceAccountToken, {
          query: '?doAs=bob',
        }),
    ],
    [
      'a cluster that is not there',
      404,
      'unknown-cluster',
      'unknown-cluster',
      async () =>
        askCredentials(serve, (await world.pod({ user: 'alice' })).serviceAccountToken, {
          query: '?cluster=x',
        }),
    ],
    [
      'a kind that is not there',
      404,
      'unknown-kind',
      'unknown-kind',
      async () =>
        askCredentials(serve, (await world.pod({ user: 'alice' })).serviceAccountToken, {
          query: '?kind=kms-dt',
        }),
    ],
  ];

  it.each(cases)('%s: %i %s', async (_name, status, code, reason, ask) => {
    const answer = await ask();
    expect(answer.status).toBe(status);
    expect(answer.headers.get('content-type')).toBe('application/problem+json');
    expect(answer.json['code']).toBe(code);
    if (reason !== code) expect(answer.bytes.toString()).not.toContain(reason);
    // The operator finds the reason by the request id that the caller has.
    const { outcome, reason: logged } = await serve.logLineOf(answer.json['requestId']);
    expect([outcome, logged]).toContain(reason);
  });

  it('asked the NameNode for no token in all that', async () => {
    expect(proxy.operations.filter((operation) => operation.endsWith('DELEGATIONTOKEN'))).toEqual([]);
    expect(await control.tokens()).toHaveLength(tokensBefore);
    // Not because the way was shut: the next one gets through.
    const { serviceAccountToken } = await world.pod({ user: 'alice' });
    expect((await askCredentials(serve, serviceAccountToken)).status).toBe(200);
    expect(proxy.operations).toContain('GETDELEGATIONTOKEN');
  });

  it('gives 502 and no token when the NameNode answers with a token of another owner', async () => {
    proxy.rewriteQuery = (query) => {
      if (query.get('op') === 'GETDELEGATIONTOKEN') query.set('doas', 'bob');
    };
    const namespace = await world.anotherNamespace();
    const { serviceAccountToken } = await world.pod({ user: 'alice' }, { namespace });
    const known = new Set((await control.tokens()).map(({ sequenceNumber }) => sequenceNumber));
    const answer = await askCredentials(serve, serviceAccountToken);
    const issued = (await control.tokens()).filter(({ sequenceNumber }) => !known.has(sequenceNumber));
    // The NameNode really did issue one for bob ...
    expect(issued).toEqual([expect.objectContaining({ owner: 'bob' })]);
    // ... and alice's pod gets an error without it.
    expect(answer.status).toBe(502);
    expect(answer.json).toMatchObject({ status: 502, code: 'hadoop-error' });
    expect(Object.keys(answer.json)).not.toContain('credentials');
    const line = await serve.logLineOf(answer.json['requestId']);
    expect(line).toMatchObject({ reason: 'wrong-token', user: 'alice' });
    expect(JSON.stringify(line)).toMatch(/owner/);
    // The refusal is held for some seconds, then alice gets hers: bob's was never kept.
    proxy.rewriteQuery = () => undefined;
    let next = answer;
    await waitFor(async () => (next = await askCredentials(serve, serviceAccountToken)).status === 200);
    expect(next.json['owner']).toBe('alice');
  });

  it.each([
    ['renewer', (query: URLSearchParams) => query.set('renewer', 'yarn')],
    ['kind', (query: URLSearchParams) => query.set('kind', 'WEBHDFS delegation')],
  ])('gives 502 when the token has another %s', async (_field, change) => {
    proxy.rewriteQuery = (query) => {
      if (query.get('op') === 'GETDELEGATIONTOKEN') change(query);
    };
    const namespace = await world.anotherNamespace();
    const { serviceAccountToken } = await world.pod({ user: 'alice' }, { namespace });
    const answer = await askCredentials(serve, serviceAccountToken);
    expect(answer.status).toBe(502);
    proxy.rewriteQuery = () => undefined;
  });
});
