import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createMutation, createValidation } from '../../../src/admission/decide.ts';
import type { Decide } from '../../../src/admission/review/admission-decision.ts';
import { readAdmissionReview } from '../../../src/admission/review/read-admission-review.ts';
import { writeAdmissionReview } from '../../../src/admission/review/write-admission-review.ts';
import { decoratorParts } from '../../../src/commands/decorate/build-parts.ts';
import { planDecorate } from '../../../src/commands/decorate/plan-decorate.ts';
import { publicKeysOf } from '../../../src/identity/stamps/stamp-keys.ts';
import { systemClock } from '../../../src/time/clock.ts';
import { applyJsonPatch } from '../../fakes/apply-json-patch.ts';
import { decorateFiles } from './decorate-files.ts';
import { deploymentOfSize, podOfSize, reviewBytesOf } from './review-of.ts';

const BYTES = 100_000;
/** How many, and what ends each before. */
const LONG = { warmUp: 300, warmUpMs: 3_000, reviews: 1_000, mostMs: 8_000 };
/** In a run of all parts. */
const SHORT = { warmUp: 300, warmUpMs: 1_500, reviews: 500, mostMs: 4_000 };

export interface CpuFigures {
  readonly name: string;
  readonly bytes: number;
  readonly reviews: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/**
 * Processor time of one review of an object of 100 KB, from its bytes to those of the answer, through the functions of the
 * webhook. The collection of garbage is in it.
 */
export async function measureReviewCpu(
  folder: string,
  apiServer: string,
  { isNamed }: { readonly isNamed: boolean },
): Promise<readonly CpuFigures[]> {
  const much = isNamed ? LONG : SHORT;
  const { mutate, validate, close } = await openDecisions(folder, apiServer);
  const order = { name: 'train-0', namespace: 'team', bytes: BYTES };
  const pod = podOfSize(order);
  const deployment = deploymentOfSize(order);
  const other = deploymentOfSize({ ...order, bytes: BYTES + 100 });
  const stamped = await decorated(pod, mutate);
  const stampedDeployment = await decorated(deployment, mutate);
  const cases = [
    ['pod, mutate', mutate, { object: pod }],
    ['Deployment, mutate', mutate, { object: deployment }],
    // What is printed only.
    ['Deployment changed, mutate', mutate, { object: other, oldObject: stampedDeployment }],
    ['pod, validate', validate, { object: stamped }],
    ['Deployment, validate', validate, { object: stampedDeployment }],
  ] as const;
  const figures: CpuFigures[] = [];
  try {
    for (const [name, decide, objects] of isNamed ? cases : cases.slice(0, 2)) {
      const bytes = reviewBytesOf({ uid: 'review', user: 'alice', ...objects });
      figures.push({ name, bytes: bytes.length, ...(await measure(bytes, decide, much)) });
    }
  } finally {
    close();
  }
  return figures;
}

async function openDecisions(folder: string, apiServer: string) {
  const config = join(folder, 'in-process.yaml');
  await writeFile(config, JSON.stringify(await decorateFiles(folder, apiServer)));
  const plan = await planDecorate({ config }, systemClock);
  const keys = plan.files.signingKeys?.current;
  if (keys === undefined) throw new Error('there are no signing keys');
  const now = { signing: keys.keys[0], all: publicKeysOf(keys) };
  // Stands still: a stamp is good to be validated for some seconds only.
  const standing = systemClock.now();
  const clock = { ...systemClock, now: () => standing };
  const parts = decoratorParts(plan, { keys: () => now, clock, logger: { warn: () => undefined } });
  return {
    mutate: createMutation(parts),
    validate: createValidation(parts),
    close: () => {
      plan.kubernetes.close();
      plan.files.stop();
    },
  };
}

const { signal } = new AbortController();

async function decorated(object: object, mutate: Decide): Promise<object> {
  const review = readAdmissionReview(reviewBytesOf({ uid: 'review', user: 'alice', object }));
  const decision = await mutate(review, signal);
  if (decision.outcome !== 'allowed') throw new Error(`the object is not let through: ${decision.outcome}`);
  return applyJsonPatch(object, decision.patch ?? []) as object;
}

async function measure(
  bytes: Buffer,
  decide: Decide,
  { warmUp, warmUpMs, reviews, mostMs }: typeof LONG,
): Promise<Pick<CpuFigures, 'reviews' | 'p50Ms' | 'p99Ms'>> {
  const tookMs: number[] = [];
  const startedAt = performance.now();
  for (let n = 0; tookMs.length < reviews && performance.now() < startedAt + mostMs; n += 1) {
    const before = process.cpuUsage();
    const review = readAdmissionReview(bytes);
    const decision = await decide(review, signal);
    const answer = writeAdmissionReview(review.uid, decision);
    const { user, system } = process.cpuUsage(before);
    if (!answer.includes('"allowed":true')) throw new Error(`a review is not let through: ${answer}`);
    if (n >= warmUp || performance.now() > startedAt + warmUpMs) tookMs.push((user + system) / 1_000);
  }
  tookMs.sort((one, other) => one - other);
  const at = (part: number): number => tookMs[Math.floor(part * (tookMs.length - 1))] ?? Number.NaN;
  return { reviews: tookMs.length, p50Ms: at(0.5), p99Ms: at(0.99) };
}
