import { describe, expect, it } from '@jest/globals';
import { createMetrics } from './metrics.ts';

/** Names of labels that hold what callers or clusters make up: each value would be a series for ever. */
const UNBOUNDED = [
  'namespace',
  'user',
  'owner',
  'pod',
  'job',
  'path',
  'url',
  'request_id',
  'message',
  'endpoint',
];

describe('createMetrics', () => {
  it('names every metric by the rules, with bounded labels only', async () => {
    const { registry, ...metrics } = createMetrics({ version: '1.2.3', processMetrics: false });
    const described = await registry.getMetricsAsJSON();
    expect(described).toHaveLength(Object.keys(metrics).length + 1);
    for (const { name, type, help } of described) {
      expect(name).toMatch(/^kerbridge_[a-z_]+$/);
      expect(name.endsWith('_total')).toBe(String(type) === 'counter');
      if (String(type) === 'histogram') expect(name).toMatch(/_seconds$/);
      expect(help).not.toBe('');
      const metric: unknown = registry.getSingleMetric(name);
      const labels = (metric as { labelNames: string[] }).labelNames;
      expect(labels.filter((label) => UNBOUNDED.includes(label))).toEqual([]);
    }
  });

  it('says what runs', async () => {
    const { registry } = createMetrics({ version: '1.2.3', processMetrics: false });
    expect(await registry.metrics()).toContain(
      `kerbridge_build_info{version="1.2.3",node_version="${process.version}"} 1`,
    );
  });

  it('shares nothing between two apps', async () => {
    const one = createMetrics({ version: '1', processMetrics: false });
    const other = createMetrics({ version: '1', processMetrics: false });
    one.tokenCacheRequests.inc({ result: 'hit' });
    expect(await one.registry.metrics()).toContain('kerbridge_token_cache_requests_total{result="hit"} 1');
    expect(await other.registry.metrics()).not.toContain('result="hit"');
  });

  it('adds the metrics of the process when asked', async () => {
    const { registry } = createMetrics({ version: '1', processMetrics: true });
    expect(await registry.metrics()).toContain('process_cpu_seconds_total');
  });
});
