import { startDecorate } from '../../integration/decorate-process.ts';
import { ask, start } from '../http/process.ts';
import { decorateFiles } from './decorate-files.ts';
import type { ReviewFigures, ReviewLoad } from './review-load.ts';

export const PACE_PER_SECOND = 500;
const CALLERS = 64;
const LONG = { bytes: 5_000, warmUpMs: 2_000, forMs: 10_000 };
/** In a run of all parts. */
const SHORT = { ...LONG, forMs: 5_000 };

export interface WebhookFigures {
  readonly paced: LoadFigures;
  readonly most: LoadFigures;
}

export interface LoadFigures extends ReviewFigures {
  /** Of one core, of the process that answers. */
  readonly decorateCpuShare: number;
  /** Of each review. */
  readonly decorateCpuMs: number;
}

/**
 * A real `kerbridge decorate`, over TLS on connections that are kept, its audit in a file: at a constant pace of pods of
 * 5 KB, and then with as many as it can do.
 */
export async function measureWebhook(
  folder: string,
  apiServer: string,
  { isNamed }: { readonly isNamed: boolean },
): Promise<WebhookFigures> {
  const decorate = await startDecorate({ dir: folder, config: await decorateFiles(folder, apiServer) });
  const generator = start('../decorate/review-load.ts');
  const load = async (pace: ReviewLoad['pace']): Promise<LoadFigures> => {
    const order: ReviewLoad = { ...(isNamed ? LONG : SHORT), port: decorate.port, pace };
    const before = await cpuSeconds(decorate.adminUrl);
    const startedAt = performance.now();
    const figures = (await ask(generator, order)) as ReviewFigures;
    const seconds = (performance.now() - startedAt) / 1_000;
    const used = (await cpuSeconds(decorate.adminUrl)) - before;
    return {
      ...figures,
      decorateCpuShare: used / seconds,
      decorateCpuMs: (1_000 * used) / figures.sent,
    };
  };
  try {
    await new Promise((resolve) => generator.once('message', resolve));
    // First, so that the process is warm when it has to keep pace.
    const most = await load({ callers: CALLERS });
    return { most, paced: await load({ perSecond: PACE_PER_SECOND }) };
  } finally {
    generator.disconnect();
    await decorate.stop();
  }
}

async function cpuSeconds(adminUrl: string): Promise<number> {
  const text = await (await fetch(`${adminUrl}/metrics`)).text();
  const seconds = /^process_cpu_seconds_total (\S+)$/m.exec(text)?.[1];
  if (seconds === undefined) throw new Error('decorate does not tell its processor time');
  return Number(seconds);
}
