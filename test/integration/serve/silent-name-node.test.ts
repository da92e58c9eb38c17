import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { hdfsControl, pauseHdfs } from '../../stack/stack.ts';
import { waitFor } from '../serve-process.ts';
import type { ServeProcess } from '../serve-process.ts';
import { expectCouldNotCheck } from './expect-could-not-check.ts';
import { askCredentials, ServeWorld } from './serve-world.ts';

describe('serve with a NameNode that takes connections and stays silent', () => {
  let world: ServeWorld;
  let serve: ServeProcess;
  let paused: AsyncDisposable | undefined;

  beforeAll(async () => {
    world = await ServeWorld.create();
    await hdfsControl(world.stack.hdfs).reset();
    serve = await world.serve({ limits: { hadoopCallTimeout: '2s' } });
  });

  afterAll(async () => {
    await paused?.[Symbol.asyncDispose]();
    await world[Symbol.asyncDispose]();
  });

  /** Pods in namespaces of their own, for which no token is cached. */
  const newPods = async (count: number) => {
    const pods = [];
    for (let pod = 0; pod < count; pod += 1)
      pods.push(await world.pod({ user: 'alice' }, { namespace: await world.anotherNamespace() }));
    return pods.map(({ serviceAccountToken }) => serviceAccountToken);
  };

  const breaker = async () => {
    const text = await (await fetch(`${serve.adminUrl}/metrics`)).text();
    return /^kerbridge_hadoop_breaker_state\{.*\} (\d)$/m.exec(text)?.[1];
  };

  /** The answer to a request for which nobody was asked; one before it may be what finds out. */
  const untilNotSent = async (serviceAccountToken: string) => {
    for (let request = 0; request < 5; request += 1) {
      const answer = await askCredentials(serve, serviceAccountToken);
      const line = JSON.stringify(await serve.logLineOf(answer.json['requestId']));
      if (/was not sent: no answer since 20\d\d-/.test(line)) return answer;
    }
    throw new Error('every request was sent');
  };

  it('503 at once after three that waited; 200 soon after it goes on', async () => {
    const [first = '', ...others] = await newPods(5);
    expect((await askCredentials(serve, first)).status).toBe(200);
    expect(await breaker()).toBe('0');
    const last = others.pop() ?? '';
    paused = await pauseHdfs(world.stack, 'hdfs');
    const waited = await Promise.all(others.map((token) => askCredentials(serve, token)));
    for (const answer of waited) expect(answer.status).toBe(503);
    expect(await breaker()).toMatch(/[12]/);

    const answer = await untilNotSent(last);
    await expectCouldNotCheck(serve, answer, 'hadoop-unavailable', {
      dependency: 'hadoop',
      reason: 'unreachable',
      endpoint: expect.stringContaining('localhost'),
      user: 'alice',
    });
    expect(await breaker()).toBe('2');
    // Who has a token already gets it.
    expect((await askCredentials(serve, first)).status).toBe(200);
    await paused[Symbol.asyncDispose]();
    await waitFor(async () => (await askCredentials(serve, last)).status === 200);
    expect(await breaker()).toBe('0');
  });
});
