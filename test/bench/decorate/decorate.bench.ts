import { temporaryFolder } from '../../integration/hadoop/hdfs-token-service.ts';
import type { Bench } from '../bench.ts';
import { measureReviewCpu } from './review-cpu.ts';

/** The ID decorator: what a review costs, how many it stands, and what a pod's CREATE takes longer by it. */
export const decorateBench: Bench = {
  name: 'decorate',
  run: async (print, record) => {
    await using folder = await temporaryFolder();
    for (const { name, bytes, reviews, p50Ms, p99Ms } of await measureReviewCpu(folder.path)) {
      print(
        `${name}: ${(bytes / 1_000).toFixed(0)} KB, ${p50Ms.toFixed(2)} ms of CPU, p99 ${p99Ms.toFixed(2)} (${reviews} reviews)`,
      );
      if (name === 'pod, mutate') record('decorateCpuMs100k', p50Ms);
      if (name === 'Deployment, mutate') record('decorateTemplateCpuMs100k', p50Ms);
    }
  },
};
