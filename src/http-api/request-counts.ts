import type { Metrics } from '../observability/metrics.ts';
import type { Tallies } from '../observability/tally.ts';

export interface CountedRequest {
  readonly route: string;
  readonly method: string;
  readonly status: number | 'aborted';
}

type Label = 'route' | 'method' | 'status';

/** Counts requests and their time. Routes, methods and statuses are bounded, so what is remembered here is too. */
export class RequestCounts {
  readonly #metrics: Metrics;
  readonly #tallies: Tallies<string, Label>;

  constructor(metrics: Metrics) {
    this.#metrics = metrics;
    this.#tallies = metrics.httpRequests.tallyBy((key: string) => {
      const [route = '', method = '', status = ''] = key.split(' ');
      return { route, method, status };
    });
  }

  count({ route, method, status }: CountedRequest, seconds: number): void {
    this.#tallies.inc(`${route} ${method} ${status}`);
    this.#metrics.httpRequestDuration.observe({ route, method }, seconds);
  }
}
