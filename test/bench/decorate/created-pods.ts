import { DecorateWorld, ALICE, OTHERS, podsPath, TEAM } from '../../integration/decorate/decorate-world.ts';
import { podOfSize } from './review-of.ts';

const CALLERS = 8;
const BYTES = 5_000;
const LONG = { warmUpMs: 3_000, forMs: 15_000 };
/** In a run of all parts. */
const SHORT = { warmUpMs: 2_000, forMs: 6_000 };

export interface CreateFigures {
  readonly pods: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export interface CreatedPods {
  /** In a namespace with the label. */
  readonly optedIn: CreateFigures;
  readonly others: CreateFigures;
}

/** CREATE of pods on a real API server that asks a real `kerbridge decorate`, in two namespaces in turn. */
export async function measureCreate({ isNamed }: { readonly isNamed: boolean }): Promise<CreatedPods> {
  const { warmUpMs, forMs } = isNamed ? LONG : SHORT;
  await using world = await DecorateWorld.open();
  const tookMs: Record<typeof TEAM | typeof OTHERS, number[]> = { [TEAM]: [], [OTHERS]: [] };
  const countFrom = performance.now() + warmUpMs;
  const endAt = countFrom + forMs;
  const call = async (caller: number): Promise<void> => {
    for (let n = 0; performance.now() < endAt; n += 1) {
      const namespace = (n + caller) % 2 === 0 ? TEAM : OTHERS;
      const body = podOfSize({ name: `train-${caller}-${n}`, namespace, bytes: BYTES });
      const startedAt = performance.now();
      await world.api.must(podsPath(namespace), { method: 'POST', body }, ALICE);
      if (startedAt >= countFrom) tookMs[namespace].push(performance.now() - startedAt);
    }
  };
  await Promise.all(Array.from({ length: CALLERS }, async (_, caller) => await call(caller)));
  return { optedIn: figuresOf(tookMs[TEAM]), others: figuresOf(tookMs[OTHERS]) };
}

function figuresOf(tookMs: readonly number[]): CreateFigures {
  const sorted = tookMs.toSorted((one, other) => one - other);
  const at = (part: number): number => sorted[Math.floor(part * (sorted.length - 1))] ?? Number.NaN;
  return { pods: sorted.length, p50Ms: at(0.5), p99Ms: at(0.99) };
}
