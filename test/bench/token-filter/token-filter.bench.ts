import { SigningKeys } from '../../../src/authentication/signing-keys.ts';
import { createTokenFilter } from '../../../src/authentication/token-filter.ts';
import { Secret } from '../../../src/observability/secret.ts';
import { systemClock } from '../../../src/time/clock.ts';
import { type FakeAlgorithm, FakeTokenIssuer, ISSUER, podClaims } from '../../fakes/fake-token-issuer.ts';
import type { Bench } from '../bench.ts';

const ROUNDS = 2_000;
const AT_ONCE = 50;

/** What the local filter costs for a token that is good, and for one that never reaches the signature. */
export const tokenFilterBench: Bench = {
  name: 'token-filter',
  run: async (print) => {
    for (const algorithm of ['RS256', 'ES256'] as const) await measure(algorithm, print);
  },
};

async function measure(algorithm: FakeAlgorithm, print: (line: string) => void): Promise<void> {
  const issuer = new FakeTokenIssuer(algorithm);
  const readIssuer = () => Promise.resolve({ issuer: ISSUER, keys: [issuer.jwk] });
  const keys = new SigningKeys({ readIssuer, clock: systemClock });
  await keys.refresh();
  const options = { audience: 'kerbridge', issuers: [], maxTokenLifetimeMs: 3_600_000, clock: systemClock };
  const filter = createTokenFilter({ keys, ...options });
  const now = systemClock.now();
  const samples = [
    ['verified', await issuer.sign(podClaims(now))],
    ['other audience', await issuer.sign(podClaims(now, 'vault'))],
    ['garbage', 'x'.repeat(1_000)],
  ] as const;
  for (const [what, compact] of samples) {
    const serviceAccountToken = new Secret(compact);
    const run = () => filter(serviceAccountToken);
    await inTurn(run, ROUNDS / 4);
    const cpu = process.cpuUsage();
    await inTurn(run, ROUNDS);
    const used = process.cpuUsage(cpu);
    const from = performance.now();
    for (let n = 0; n < ROUNDS; n += AT_ONCE) await Promise.all(Array.from({ length: AT_ONCE }, run));
    const perSecond = Math.round((ROUNDS / (performance.now() - from)) * 1000);
    const cpuMicros = ((used.user + used.system) / ROUNDS).toFixed(1);
    print(`${algorithm} ${what}: ${cpuMicros} µs of CPU a call; ${perSecond} calls/s, ${AT_ONCE} at once`);
  }
}

async function inTurn(run: () => Promise<unknown>, times: number): Promise<void> {
  for (let n = 0; n < times; n += 1) await run();
}
