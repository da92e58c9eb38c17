import { describe, expect, it } from '@jest/globals';
import { FakeClock } from '../../../test/fakes/fake-clock.ts';
import type { SigningKeysRefresh } from '../../authentication/signing-keys.ts';
import { KubernetesApiError } from '../../kubernetes/kubernetes-api-error.ts';
import type { PodReflectorEvent } from '../../kubernetes/pod-reflector/pod-reflector.ts';
import { createLogger } from '../../observability/logger.ts';
import { createMetrics } from '../../observability/metrics.ts';
import { createPodReflectorLog, createSigningKeysLog } from './log-kubernetes-events.ts';

function start() {
  const metrics = createMetrics({ version: '0', processMetrics: false });
  const lines: string[] = [];
  const logger = createLogger({
    level: 'debug',
    clock: new FakeClock(),
    destination: { write: (line) => lines.push(line) },
  });
  return {
    metrics,
    logger,
    logged: () => lines.splice(0).map((line) => JSON.parse(line) as Record<string, unknown>),
    counted: async (name: string): Promise<string[]> =>
      (await metrics.registry.metrics()).split('\n').filter((line) => line.startsWith(name)),
  };
}

const unreachable = () => new KubernetesApiError('unreachable', 'GET keys: ECONNREFUSED');
const forbidden = () =>
  new KubernetesApiError('forbidden', 'LIST pods: 403', { fix: 'Grant `list` on `pods`' });

describe('createSigningKeysLog', () => {
  const refreshed = (usableKeys: number): SigningKeysRefresh => ({
    outcome: 'refreshed',
    issuer: 'https://issuer',
    usableKeys,
    unusableKeys: 0,
  });
  const failed = (cause: unknown): SigningKeysRefresh => ({ outcome: 'failed', cause });

  it('warns when they cannot be read', () => {
    const { logger, metrics, logged } = start();
    createSigningKeysLog(logger, metrics)(failed(unreachable()));
    expect(logged()).toMatchObject([
      {
        level: 'warn',
        message:
          'Signing keys of the API server cannot be read; those at hand are used, the rest is left to it',
        error: { code: 'unreachable' },
      },
    ]);
  });

  it('says what to do', () => {
    const { logger, metrics, logged } = start();
    createSigningKeysLog(logger, metrics)(failed(forbidden()));
    expect(logged()).toMatchObject([{ fix: 'Grant `list` on `pods`' }]);
  });

  it('says the same once, and counts all', async () => {
    const { logger, metrics, logged, counted } = start();
    const note = createSigningKeysLog(logger, metrics);
    for (const refresh of [
      refreshed(1),
      refreshed(1),
      refreshed(2),
      failed(unreachable()),
      failed(unreachable()),
      failed(forbidden()),
      failed(new Error('a')),
      failed(new Error('b')),
      refreshed(2),
    ]) {
      note(refresh);
    }
    expect(logged().map(({ level, usableKeys, error }) => [level, usableKeys ?? error])).toEqual([
      ['info', 1],
      ['info', 2],
      ['warn', expect.objectContaining({ code: 'unreachable' })],
      ['warn', expect.objectContaining({ code: 'forbidden' })],
      ['warn', expect.objectContaining({ message: 'a' })],
      ['info', 2],
    ]);
    expect(await counted('kerbridge_signing_key_refreshes_total')).toEqual([
      'kerbridge_signing_key_refreshes_total{outcome="refreshed"} 4',
      'kerbridge_signing_key_refreshes_total{outcome="failed"} 5',
    ]);
  });
});

describe('createPodReflectorLog', () => {
  const failed = (error: unknown, step: 'list' | 'watch' = 'watch'): PodReflectorEvent => ({
    type: 'failed',
    step,
    error,
    relist: true,
    retryInMs: 500,
  });

  it.each([
    ['with the fix', forbidden(), 'Grant `list` on `pods`'],
    ['without one', unreachable(), undefined],
    ['that is no error of the API', new Error('x'), undefined],
  ])('warns of a failure %s', async (_name, error, fix) => {
    const { logger, metrics, logged, counted } = start();
    createPodReflectorLog(logger, metrics)(failed(error));
    const [line = {}, ...more] = logged();
    expect(more).toEqual([]);
    expect(line).toMatchObject({
      level: 'warn',
      message: 'Pods cannot be watched; until they are, each is looked up when it asks',
      relist: true,
      retryInMs: 500,
      error: { message: error.message },
    });
    expect(line['fix']).toBe(fix);
    expect(await counted('kerbridge_pod_reflector_reconnects_total')).toEqual([
      'kerbridge_pod_reflector_reconnects_total{reason="watch-failed"} 1',
    ]);
  });

  it('counts lists that failed apart', async () => {
    const { logger, metrics, counted } = start();
    createPodReflectorLog(logger, metrics)(failed(forbidden(), 'list'));
    expect(await counted('kerbridge_pod_reflector_reconnects_total')).toEqual([
      'kerbridge_pod_reflector_reconnects_total{reason="list-failed"} 1',
    ]);
  });

  it('tells of a callback that failed', () => {
    const { logger, metrics, logged } = start();
    createPodReflectorLog(logger, metrics)({ type: 'callback-failed', error: new Error('x') });
    expect(logged()).toMatchObject([{ level: 'error', error: { message: 'x' } }]);
  });

  it('logs lists and watches, and counts the first list apart', async () => {
    const { logger, metrics, logged, counted } = start();
    const note = createPodReflectorLog(logger, metrics);
    const listed = { type: 'listed', pods: 7, pages: 1, durationMs: 9 } as const;
    for (const event of [listed, { type: 'watching' }, listed, { type: 'watch-ended' }, listed] as const) {
      note(event);
    }
    const line = { level: 'info', message: 'Pods listed', pods: 7, pages: 1, durationMs: 9 };
    const time = '2026-01-01T00:00:00.000Z';
    expect(logged()).toEqual([
      { ...line, time },
      { level: 'debug', message: 'Pods watched', time },
      { ...line, time },
      { ...line, time },
    ]);
    expect(await counted('kerbridge_pod_reflector_relists_total')).toEqual([
      'kerbridge_pod_reflector_relists_total{reason="start"} 1',
      'kerbridge_pod_reflector_relists_total{reason="failed"} 2',
    ]);
    expect(await counted('kerbridge_pod_reflector_reconnects_total')).toEqual([
      'kerbridge_pod_reflector_reconnects_total{reason="ended"} 1',
    ]);
  });

  it('counts the events of a watch, and logs none', async () => {
    const { logger, metrics, logged, counted } = start();
    const note = createPodReflectorLog(logger, metrics);
    for (const type of ['put', 'put', 'delete', 'bookmark'] as const) note({ type });
    expect(logged()).toEqual([]);
    expect(await counted('kerbridge_pod_reflector_events_total')).toEqual([
      'kerbridge_pod_reflector_events_total{type="put"} 2',
      'kerbridge_pod_reflector_events_total{type="delete"} 1',
      'kerbridge_pod_reflector_events_total{type="bookmark"} 1',
    ]);
  });
});
