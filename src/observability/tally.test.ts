import { describe, expect, it } from '@jest/globals';
import { Registry } from 'prom-client';
import { TallyCounter } from './tally.ts';

function setUp() {
  const registry = new Registry();
  const counter = new TallyCounter({
    name: 'things_total',
    help: 'Things',
    labelNames: ['kind'],
    registers: [registry],
  });
  const lines = async () =>
    (await registry.metrics()).split('\n').filter((line) => line.startsWith('things'));
  return { counter, lines };
}

describe('TallyCounter', () => {
  it('shows what was counted, by key or not, and each once', async () => {
    const { counter, lines } = setUp();
    const tallies = counter.tallyBy((kind: 'a' | 'b') => ({ kind }));
    tallies.inc('a');
    tallies.inc('a');
    counter.inc({ kind: 'a' });
    expect(await lines()).toEqual(['things_total{kind="a"} 3']);
    expect(await lines()).toEqual(['things_total{kind="a"} 3']);
    tallies.inc('b');
    expect(await lines()).toEqual(['things_total{kind="a"} 3', 'things_total{kind="b"} 1']);
  });

  it('has no series for what was never counted', async () => {
    const { counter, lines } = setUp();
    counter.tallyBy((kind: string) => ({ kind }));
    expect(await lines()).toEqual([]);
  });
});
