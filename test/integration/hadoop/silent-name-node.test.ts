import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { BreakerOpenError } from '../../../src/concurrency/breaker.ts';
import { TokenServiceError } from '../../../src/delegation-tokens/token-service.ts';
import { hdfsControl, pauseHdfs, readStack } from '../../stack/stack.ts';
import type { HdfsCluster, HdfsControl, Stack } from '../../stack/stack.ts';
import { TamperingProxy } from '../serve/tampering-proxy.ts';
import { waitFor } from '../serve-process.ts';
import { openTokenService } from './hdfs-token-service.ts';
import type { OpenTokenService } from './hdfs-token-service.ts';

const CALL_TIMEOUT_MS = 2_000;
const alice = { owner: 'alice', renewer: 'kerbridge' };

const outcomeOf = async (call: Promise<unknown>): Promise<unknown> =>
  await call.catch((error: unknown) => error);

/** Nobody was asked. */
const isHeldBack = (outcome: unknown): boolean =>
  outcome instanceof TokenServiceError && outcome.cause instanceof BreakerOpenError;

const isRenewed = (outcome: unknown): boolean => !(outcome instanceof Error);

const many = (count: number, call: () => Promise<unknown>): Promise<unknown>[] =>
  Array.from({ length: count }, () => outcomeOf(call()));

let stack: Stack;

beforeAll(async () => {
  stack = await readStack();
});

describe('a NameNode that is stopped and continued', () => {
  let hdfs: OpenTokenService;
  let control: HdfsControl;
  let paused: AsyncDisposable | undefined;

  beforeAll(async () => {
    control = hdfsControl(stack.hdfs);
    await control.reset();
    hdfs = await openTokenService(stack, stack.hdfs, { callTimeoutMs: CALL_TIMEOUT_MS });
  });

  afterAll(async () => {
    await paused?.[Symbol.asyncDispose]();
    await hdfs.close();
  });

  it('costs few callers a time-out, makes few tokens for nobody, and is used again', async () => {
    const token = await hdfs.tokenService.issue(alice);
    const before = (await control.tokens()).length;
    paused = await pauseHdfs(stack, 'hdfs');
    const outcomes = await Promise.all(many(200, () => hdfs.tokenService.issue(alice)));
    for (const outcome of outcomes) expect(outcome).toMatchObject({ failure: 'unreachable' });
    // 8 were in flight, and two came in the places of the first that ended.
    const timedOut = outcomes.filter((outcome) => !isHeldBack(outcome));
    expect(timedOut.length).toBeGreaterThanOrEqual(8);
    expect(timedOut.length).toBeLessThanOrEqual(10);

    // Nobody gets through to it; now and then somebody finds out.
    const [origin] = hdfs.sessions.loads.map((load) => load.origin);
    for (let probes = 0; probes < 2;) {
      const outcome = await outcomeOf(hdfs.tokenService.issue(alice));
      expect(outcome).toMatchObject({ failure: 'unreachable', endpoint: origin, mayHaveActed: false });
      if (isHeldBack(outcome)) await waitFor(() => hdfs.sessions.loads[0]?.breaker === 'half-open');
      else probes += 1;
    }
    await paused[Symbol.asyncDispose]();
    await waitFor(async () => isRenewed(await outcomeOf(hdfs.tokenService.renew(token))));
    expect(hdfs.sessions.loads).toMatchObject([{ breaker: 'closed' }]);
    // What it read when it woke; the probes were none of it.
    expect((await control.tokens()).length - before).toBeLessThanOrEqual(10);
  });
});

describe('a pair whose active NameNode falls silent', () => {
  let cluster: HdfsCluster;
  let control: HdfsControl;
  let proxies: TamperingProxy[];
  let hdfs: OpenTokenService;

  beforeAll(() => {
    if (stack.ha === undefined) throw new Error('this test needs a stack with two NameNodes: stack up --ha');
    cluster = stack.ha;
    control = hdfsControl(cluster);
  });

  // Both are in one JVM: SIGSTOP would stop both, so the one is cut off before its port.
  beforeEach(async () => {
    await control.reset();
    proxies = await Promise.all(cluster.nameNodes.map(({ httpUrl }) => TamperingProxy.before(httpUrl)));
    const urls = new Map(
      cluster.nameNodes.map(({ httpUrl }, nn) => [new URL(httpUrl).port, proxies[nn]?.url]),
    );
    hdfs = await openTokenService(stack, cluster, {
      callTimeoutMs: CALL_TIMEOUT_MS,
      addressOf: (baseUrl) => urls.get(new URL(baseUrl).port) ?? baseUrl,
    });
  });

  afterEach(async () => {
    await hdfs.close();
    for (const proxy of proxies) await proxy[Symbol.asyncDispose]();
    await control.reset();
  });

  const breakers = () => hdfs.sessions.loads.map(({ breaker }) => breaker);
  const silence = (nn: number, isSilent: boolean) => {
    const proxy = proxies[nn];
    if (proxy !== undefined) proxy.interfere = () => isSilent;
  };

  it('calls go to the other one, after few time-outs, and back again when it has to be', async () => {
    const token = await hdfs.tokenService.issue(alice);
    silence(0, true);
    await control.setActive(1);

    const renewed = await Promise.all(many(60, () => hdfs.tokenService.renew(token)));
    for (const outcome of renewed) expect(outcome).toMatchObject({ expiresAt: expect.any(BigInt) });
    const asked = proxies[0]?.operations.length ?? 0;
    expect(breakers()).toEqual([expect.stringMatching(/open$/), 'closed']);
    // One login or renewal that worked before, and those that found out.
    const tried = proxies[0]?.operations.filter((op) => op === 'RENEWDELEGATIONTOKEN') ?? [];
    expect(tried.length).toBeGreaterThanOrEqual(3);
    expect(tried.length).toBeLessThanOrEqual(10);

    // Nobody asks the silent one any more.
    for (const outcome of await Promise.all(many(20, () => hdfs.tokenService.issue(alice))))
      expect(outcome).toMatchObject({ owner: 'alice' });
    expect(proxies[0]?.operations).toHaveLength(asked);

    silence(0, false);
    silence(1, true);
    await control.setActive(0);
    await waitFor(async () => isRenewed(await outcomeOf(hdfs.tokenService.renew(token))));
    expect(breakers()[0]).toBe('closed');
    expect(await hdfs.tokenService.issue(alice)).toMatchObject({ owner: 'alice' });
    await hdfs.tokenService.cancel(token);
  });
});
