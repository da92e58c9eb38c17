import { readFile } from 'node:fs/promises';
import { describe, expect, it } from '@jest/globals';
import { labelNamesOf, METRICS_DOC, renderMetricsDoc } from '../../test/docs/metrics-doc.ts';
import { createMetrics } from './metrics.ts';
import { countFromZero } from './token-life-metrics.ts';

/**
 * Names of labels whose values our own unions and configuration bound. A label that holds what callers or clusters make
 * up (a namespace, a user, a pod, a path) makes a series for ever of each value.
 */
const BOUNDED = [
  'cluster',
  'dependency',
  'endpoint',
  'file',
  'kind',
  'lane',
  'limit',
  'method',
  'node_version',
  'operation',
  'outcome',
  'queue',
  'reason',
  'result',
  'route',
  'source',
  'state',
  'status',
  'type',
  'version',
];

const create = () => createMetrics({ version: '1.2.3', processMetrics: false });

describe('createMetrics', () => {
  it('of the process takes no gauge that ends like a counter', async () => {
    const { registry } = createMetrics({ version: '1.2.3', processMetrics: true });
    const described = await registry.getMetricsAsJSON();
    expect(described.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['nodejs_active_handles', 'process_cpu_seconds_total']),
    );
    const gauges = described.filter(({ type }) => String(type) === 'gauge').map(({ name }) => name);
    expect(gauges.filter((name) => name.endsWith('_total'))).toEqual([]);
  });

  it('names every metric by the rules, with bounded labels only', async () => {
    const { registry, ...metrics } = create();
    const described = await registry.getMetricsAsJSON();
    expect(described).toHaveLength(Object.keys(metrics).length + 1);
    for (const { name, type, help } of described) {
      expect(name).toMatch(/^kerbridge_[a-z_]+$/);
      expect(name.endsWith('_total')).toBe(String(type) === 'counter');
      if (String(type) === 'histogram') expect(name).toMatch(/_seconds$/);
      if (name.includes('timestamp')) expect(name).toMatch(/_timestamp_seconds$/);
      expect(help).not.toBe('');
      expect(
        labelNamesOf(registry.getSingleMetric(name)).filter((label) => !BOUNDED.includes(label)),
      ).toEqual([]);
    }
  });

  it('is what docs/metrics.md says (npm run docs:metrics)', async () => {
    expect(await readFile(METRICS_DOC, 'utf8')).toBe(await renderMetricsDoc());
  });

  it('says what runs', async () => {
    expect(await create().registry.metrics()).toContain(
      `kerbridge_build_info{version="1.2.3",node_version="${process.version}"} 1`,
    );
  });

  it('shares nothing between two apps', async () => {
    const one = create();
    const other = create();
    one.tokenCacheRequests.inc({ result: 'hit' });
    expect(await one.registry.metrics()).toContain('kerbridge_token_cache_requests_total{result="hit"} 1');
    expect(await other.registry.metrics()).not.toContain('result="hit"');
  });

  it('shows what has not happened yet of the tokens of each cluster as 0', async () => {
    const metrics = create();
    countFromZero(metrics, ['prod', 'lab']);
    const text = await metrics.registry.metrics();
    for (const cluster of ['prod', 'lab']) {
      expect(text).toContain(
        `kerbridge_delegation_tokens_lost_total{cluster="${cluster}",reason="expired"} 0\n`,
      );
      expect(text).toContain(
        `kerbridge_delegation_token_renewals_total{cluster="${cluster}",outcome="lost"} 0\n`,
      );
    }
  });

  it('adds the metrics of the process when asked', async () => {
    const { registry } = createMetrics({ version: '1', processMetrics: true });
    expect(await registry.metrics()).toContain('process_cpu_seconds_total');
  });
});

describe('LiveGauge', () => {
  it('asks each time it is read', async () => {
    const { registry, queueRunning } = create();
    let running = 3;
    queueRunning.observe(() => running, { queue: 'one' });
    queueRunning.observe(() => 7, { queue: 'other' });
    expect(await registry.metrics()).toContain('kerbridge_queue_running{queue="one"} 3\n');
    running = 0;
    const text = await registry.metrics();
    expect(text).toContain('kerbridge_queue_running{queue="one"} 0\n');
    expect(text).toContain('kerbridge_queue_running{queue="other"} 7\n');
  });

  it('has no value before somebody knows one, and none when nobody does any more', async () => {
    const { registry, podReflectorLastHeard } = create();
    const values = async () =>
      (await registry.metrics())
        .split('\n')
        .filter((line) => line.startsWith('kerbridge_pod_reflector_last'));
    expect(await values()).toEqual([]);
    let heard: number | undefined;
    podReflectorLastHeard.observe(() => heard, {});
    expect(await values()).toEqual([]);
    heard = 1.5;
    expect(await values()).toEqual(['kerbridge_pod_reflector_last_heard_timestamp_seconds 1.5']);
    heard = undefined;
    expect(await values()).toEqual([]);
  });
});
