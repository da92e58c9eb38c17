import { describe, expect, it } from '@jest/globals';
import type { SpnegoSessions } from '../../hadoop/http/spnego-sessions.ts';
import { createMetrics } from '../../observability/metrics.ts';
import { observeHadoopQueue } from './observe-hadoop-queue.ts';

describe('observeHadoopQueue', () => {
  it('shows what runs and what waits, of all daemons of the cluster together, and if each answers, as it is now', async () => {
    const metrics = createMetrics({ version: '0', processMetrics: false });
    const shown = async () =>
      (await metrics.registry.metrics())
        .split('\n')
        .filter((line) => /^kerbridge_(?:queue|hadoop_breaker)_/.test(line));
    let loads: SpnegoSessions['loads'] = [];
    const sessions = {
      get loads() {
        return loads;
      },
    };
    const origins = ['https://nn1:9871', 'https://nn2:9871', 'https://nn1:9871'];
    observeHadoopQueue('prod', { sessions, origins, metrics });
    expect(await shown()).toEqual([
      'kerbridge_queue_running{queue="hadoop/prod"} 0',
      'kerbridge_queue_waiting{queue="hadoop/prod",lane="renewal"} 0',
      'kerbridge_queue_waiting{queue="hadoop/prod",lane="issue"} 0',
      'kerbridge_queue_waiting{queue="hadoop/prod",lane="cancel"} 0',
      'kerbridge_hadoop_breaker_state{cluster="prod",endpoint="https://nn1:9871"} 0',
      'kerbridge_hadoop_breaker_state{cluster="prod",endpoint="https://nn2:9871"} 0',
    ]);
    loads = [
      {
        origin: 'https://nn1:9871',
        breaker: 'half-open',
        running: 8,
        waiting: { renewal: 3, issue: 40, cancel: 5 },
      },
      {
        origin: 'https://nn2:9871',
        breaker: 'open',
        running: 2,
        waiting: { renewal: 1, issue: 1, cancel: 0 },
      },
    ];
    expect(await shown()).toEqual([
      'kerbridge_queue_running{queue="hadoop/prod"} 10',
      'kerbridge_queue_waiting{queue="hadoop/prod",lane="renewal"} 4',
      'kerbridge_queue_waiting{queue="hadoop/prod",lane="issue"} 41',
      'kerbridge_queue_waiting{queue="hadoop/prod",lane="cancel"} 5',
      'kerbridge_hadoop_breaker_state{cluster="prod",endpoint="https://nn1:9871"} 1',
      'kerbridge_hadoop_breaker_state{cluster="prod",endpoint="https://nn2:9871"} 2',
    ]);
  });
});
