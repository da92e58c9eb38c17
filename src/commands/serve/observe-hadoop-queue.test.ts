import { describe, expect, it } from '@jest/globals';
import type { SpnegoSessions } from '../../hadoop/http/spnego-sessions.ts';
import { createMetrics } from '../../observability/metrics.ts';
import { observeHadoopQueue } from './observe-hadoop-queue.ts';

describe('observeHadoopQueue', () => {
  it('shows what runs and what waits, of all daemons of the cluster together, as it is now', async () => {
    const metrics = createMetrics({ version: '0', processMetrics: false });
    const shown = async () =>
      (await metrics.registry.metrics()).split('\n').filter((line) => line.startsWith('kerbridge_queue_'));
    let loads: SpnegoSessions['loads'] = [];
    const sessions = {
      get loads() {
        return loads;
      },
    };
    observeHadoopQueue('prod', sessions, metrics);
    expect(await shown()).toEqual([
      'kerbridge_queue_running{queue="hadoop/prod"} 0',
      'kerbridge_queue_waiting{queue="hadoop/prod"} 0',
    ]);
    loads = [
      { origin: 'https://nn1:9871', running: 8, waiting: 40 },
      { origin: 'https://nn2:9871', running: 2, waiting: 1 },
    ];
    expect(await shown()).toEqual([
      'kerbridge_queue_running{queue="hadoop/prod"} 10',
      'kerbridge_queue_waiting{queue="hadoop/prod"} 41',
    ]);
  });
});
