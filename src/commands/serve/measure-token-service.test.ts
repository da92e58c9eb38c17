import { describe, expect, it } from '@jest/globals';
import { FakeClock } from '../../../test/fakes/fake-clock.ts';
import {
  type DelegationToken,
  type TokenService,
  TokenServiceError,
} from '../../delegation-tokens/token-service.ts';
import { createMetrics } from '../../observability/metrics.ts';
import { Secret } from '../../observability/secret.ts';
import { measureTokenService } from './measure-token-service.ts';

const token: DelegationToken = {
  kind: 'K',
  service: 's',
  identifier: new Uint8Array(),
  password: new Secret(new Uint8Array()),
  owner: 'alice',
  renewer: 'kerbridge',
  realUser: '',
  issueDate: 0n,
  maxDate: 1n,
  sequenceNumber: 1,
  masterKeyId: 1,
};

function start(answer: () => Promise<never> | undefined = () => undefined) {
  const clock = new FakeClock();
  const metrics = createMetrics({ version: '0', processMetrics: false });
  const calls: unknown[] = [];
  const run = async <T>(call: unknown[], result: T): Promise<T> => {
    calls.push(call);
    await clock.advance(250);
    await answer();
    return result;
  };
  const service: TokenService = {
    kind: 'K',
    issue: (...call) => run(['issue', ...call], token),
    renew: (...call) => run(['renew', ...call], { expiresAt: 5n }),
    cancel: (...call) => run(['cancel', ...call], undefined),
  };
  return { measured: measureTokenService(service, { cluster: 'c', metrics, clock }), metrics, calls };
}

describe('measureTokenService', () => {
  it('passes calls and answers on, counted and timed', async () => {
    const { measured, metrics, calls } = start();
    const options = { signal: new AbortController().signal };
    const request = { owner: 'alice', renewer: 'kerbridge' };
    expect(measured.kind).toBe('K');
    expect(await measured.issue(request, options)).toBe(token);
    expect(await measured.renew(token, options)).toEqual({ expiresAt: 5n });
    await measured.cancel(token, options);
    expect(calls).toEqual([
      ['issue', request, options],
      ['renew', token, options],
      ['cancel', token, options],
    ]);
    const text = await metrics.registry.metrics();
    for (const operation of ['issue', 'renew', 'cancel']) {
      const labels = `cluster="c",operation="${operation}"`;
      expect(text).toContain(`kerbridge_hadoop_calls_total{${labels},outcome="ok"} 1`);
      expect(text).toContain(`kerbridge_hadoop_call_duration_seconds_sum{${labels}} 0.25`);
    }
  });

  it.each([
    ['safe-mode', new TokenServiceError('safe-mode', 'x'), undefined],
    ['denied', new TokenServiceError('denied', 'x'), AbortSignal.abort()],
    ['internal', Object.assign(new Error('x'), { failure: 'denied' }), undefined],
    ['aborted', new Error('x'), AbortSignal.abort()],
  ])('counts %s, and rejects with the same error', async (outcome, error, signal) => {
    const { measured, metrics } = start(() => Promise.reject(error));
    await expect(measured.renew(token, signal === undefined ? {} : { signal })).rejects.toBe(error);
    const text = await metrics.registry.metrics();
    expect(text).toContain(
      `kerbridge_hadoop_calls_total{cluster="c",operation="renew",outcome="${outcome}"} 1`,
    );
    expect(text).toContain('kerbridge_hadoop_call_duration_seconds_count{cluster="c",operation="renew"} 1');
  });
});
