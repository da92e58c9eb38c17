import { join } from 'node:path';
import type { StackPaths } from '../paths.ts';

export interface PrometheusFiles {
  readonly config: string;
  readonly data: string;
  /** Each `*.json` here is a list of targets (Prometheus, file_sd_config), followed while it runs. */
  readonly targets: string;
}

export function prometheusFiles({ prometheus }: StackPaths): PrometheusFiles {
  return {
    config: join(prometheus, 'prometheus.yml'),
    data: join(prometheus, 'data'),
    targets: join(prometheus, 'targets'),
  };
}
