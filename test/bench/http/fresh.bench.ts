import type { Bench } from '../bench.ts';
import { compareSides, describeSide, type Order, ratioOf } from './compare-sides.ts';
import { answerOf, startHttpWorld, TLS } from './world.ts';

const ROUNDS = 7;
/** In a run of all parts. */
const FEWER_ROUNDS = 5;
/** As many at once as TokenReviews. */
const CALLERS = 16;
const NEW: Order = { tls: true, connections: CALLERS, newConnections: true, warmUpMs: 200, forMs: 1_000 };

/**
 * The usual first request of a pod: a service-account token that was never seen, a new TLS connection, and delegation
 * tokens that are in memory. Beside a bare server that verifies the one signature and asks for the one TokenReview.
 */
export const freshBench: Bench = {
  name: 'fresh',
  run: async (print, record, { isNamed }) => {
    const rounds = isNamed ? ROUNDS : FEWER_ROUNDS;
    const world = await startHttpWorld();
    try {
      const kerbridge = await world.startKerbridge({ tls: TLS, reviewLifetimeMs: 1 });
      // One for each user, so that the delegation tokens are in memory.
      const { sample } = await world.load({
        ...NEW,
        port: kerbridge.tlsPort ?? kerbridge.port,
        firstToken: 0,
        forMs: 120_000,
        maxRequests: 2_000,
      });
      const bare = await world.startBare({ tls: TLS, review: true, ...answerOf(sample) });
      const figures = await compareSides(world, { bare, kerbridge }, { rounds, order: NEW });
      for (const [name, each] of Object.entries(figures)) print(describeSide(name, each));
      record(
        'freshJwtRatio',
        ratioOf(figures.kerbridge, figures.bare, (one) => one.perSecond),
      );
      record(
        'freshJwtCpuRatio',
        ratioOf(figures.bare, figures.kerbridge, (one) => one.cpuMicros),
      );
    } finally {
      await world.stop();
    }
  },
};
