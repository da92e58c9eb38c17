import type { Bench } from '../bench.ts';
import { compareSides, describeSide, type Order, ratioOf } from './compare-sides.ts';
import { PODS } from './pods.ts';
import { answerOf, startHttpWorld, TLS } from './world.ts';

const CONNECTIONS = 64;
const ROUNDS = 7;
/** In a run of all parts. */
const FEWER_ROUNDS = 5;
const SHORT = { warmUpMs: 200, forMs: 800 };
const KEPT: Order = {
  tls: false,
  connections: CONNECTIONS,
  newConnections: false,
  warmUpMs: 300,
  forMs: 1_500,
};
/** Longer than the measurement, so that the tokens stay known. `serve` asks again after 10 s. */
const REVIEW_LIFETIME_MS = 600_000;

/** Repeated requests of known pods: 64 kept connections, 10,000 service-account tokens in turn, beside a bare server. */
export const hotBench: Bench = {
  name: 'hot',
  run: async (print, record, { isNamed }) => {
    const rounds = isNamed ? ROUNDS : FEWER_ROUNDS;
    const order: Order = isNamed ? KEPT : { ...KEPT, ...SHORT };
    const world = await startHttpWorld();
    try {
      const known = { reviewLifetimeMs: REVIEW_LIFETIME_MS };
      const kerbridge = await world.startKerbridge({ ...known, tls: TLS });
      const express = await world.startKerbridge({ ...known, express: true });
      let sample = '';
      for (const { port } of [kerbridge, express]) {
        // Each token once, so that it is known; and then the code is warm.
        const first = { ...KEPT, forMs: 120_000, maxRequests: PODS, firstToken: 0, port };
        ({ sample } = await world.load(first));
      }
      const answer = answerOf(sample);
      const bare = await world.startBare({ tls: undefined, ...answer });
      const bareTls = await world.startBare({ tls: TLS, ...answer });

      const plain = await compareSides(world, { bare, kerbridge, express }, { rounds, order });
      const tls = await compareSides(
        world,
        { 'bare, TLS': bareTls, 'kerbridge, TLS': kerbridge },
        { rounds, order: { ...order, tls: true } },
      );
      for (const [name, figures] of [...Object.entries(plain), ...Object.entries(tls)]) {
        print(describeSide(name, figures));
      }
      record(
        'hotPathRatio',
        ratioOf(plain.kerbridge, plain.bare, (one) => one.perSecond),
      );
      record(
        'hotPathP99Ratio',
        ratioOf(plain.kerbridge, plain.bare, (one) => one.p99Ms),
      );
      record(
        'hotPathCpuRatio',
        ratioOf(plain.bare, plain.kerbridge, (one) => one.cpuMicros),
      );
      record(
        'hotPathTlsRatio',
        ratioOf(tls['kerbridge, TLS'], tls['bare, TLS'], (one) => one.perSecond),
      );
      record(
        'hotPathTlsCpuRatio',
        ratioOf(tls['bare, TLS'], tls['kerbridge, TLS'], (one) => one.cpuMicros),
      );
      record(
        'expressRatio',
        ratioOf(plain.express, plain.bare, (one) => one.perSecond),
      );
    } finally {
      await world.stop();
    }
  },
};
