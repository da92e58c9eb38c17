import { temporaryFolder } from '../../integration/hadoop/hdfs-token-service.ts';
import type { Bench } from '../bench.ts';
import { measureCreate } from './created-pods.ts';
import { startNamespaces } from './decorate-files.ts';
import { measureReviewCpu } from './review-cpu.ts';
import { measureWebhook, PACE_PER_SECOND } from './webhook-load.ts';

/** The ID decorator: what a review costs, how many it stands, and how much longer the CREATE of a pod takes by it. */
export const decorateBench: Bench = {
  name: 'decorate',
  run: async (print, record, { isNamed }) => {
    await using folder = await temporaryFolder();
    using ends = new DisposableStack();
    const { url } = ends.adopt(await startNamespaces(), ({ close }) => close());
    for (const { name, bytes, reviews, p50Ms, p99Ms } of await measureReviewCpu(folder.path, url, {
      isNamed,
    })) {
      print(
        `${name}: ${(bytes / 1_000).toFixed(0)} KB, ${p50Ms.toFixed(2)} ms of CPU, p99 ${p99Ms.toFixed(2)} (${reviews} reviews)`,
      );
      if (name === 'pod, mutate') record('decorateCpuMs100k', p50Ms);
      if (name === 'Deployment, mutate') record('decorateTemplateCpuMs100k', p50Ms);
    }

    const webhook = await measureWebhook(folder.path, url, { isNamed });
    for (const [name, figures] of Object.entries(webhook)) {
      const { perSecond, p50Ms, p99Ms, connections, errors, firstError } = figures;
      print(
        `${name}: ${perSecond.toFixed(0)} reviews/s, p50 ${p50Ms.toFixed(1)} ms, p99 ${p99Ms.toFixed(1)} ms, ${errors} errors; ` +
          `${figures.decorateCpuShare.toFixed(2)} of a core, ${figures.decorateCpuMs.toFixed(2)} ms of CPU a review, ${figures.cpuShare.toFixed(2)} of a core for who asks, ${connections} connections`,
      );
      if (firstError !== undefined) print(`${name}: the first error: ${firstError.slice(0, 300)}`);
    }
    record('decorateErrors500', webhook.paced.errors);
    // Not the share that was seen: what can't keep the pace would have less.
    record('decorateCpuShare500', (webhook.paced.decorateCpuMs * PACE_PER_SECOND) / 1_000);
    record('decorateMostPerSecond', webhook.most.perSecond);

    const { optedIn, others } = await measureCreate({ isNamed });
    for (const [name, { pods, p50Ms, p99Ms }] of Object.entries({ 'opted in': optedIn, others })) {
      print(`CREATE, ${name}: p50 ${p50Ms.toFixed(1)} ms, p99 ${p99Ms.toFixed(1)} ms (${pods} pods)`);
    }
    record('createAddedP50Ms', optedIn.p50Ms - others.p50Ms);
    record('createAddedP99Ms', optedIn.p99Ms - others.p99Ms);
  },
};
