import {
  type CallOptions,
  type TokenService,
  TokenServiceError,
} from '../../delegation-tokens/token-service.ts';
import type { Metrics } from '../../observability/metrics.ts';
import type { Clock } from '../../time/clock.ts';

type Operation = 'issue' | 'renew' | 'cancel';

export interface MeasureOptions {
  readonly cluster: string;
  readonly metrics: Pick<Metrics, 'hadoopCalls' | 'hadoopCallDuration'>;
  readonly clock: Clock;
}

/** The same token service, its calls counted and timed. */
export function measureTokenService(
  tokenService: TokenService,
  { cluster, metrics, clock }: MeasureOptions,
): TokenService {
  const measure = async <T>(
    operation: Operation,
    signal: AbortSignal | undefined,
    call: () => Promise<T>,
  ): Promise<T> => {
    const startedAt = clock.uptime();
    let outcome = 'ok';
    try {
      return await call();
    } catch (error) {
      if (error instanceof TokenServiceError) outcome = error.failure;
      else outcome = signal?.aborted === true ? 'aborted' : 'internal';
      throw error;
    } finally {
      metrics.hadoopCalls.inc({ cluster, operation, outcome });
      metrics.hadoopCallDuration.observe({ cluster, operation }, (clock.uptime() - startedAt) / 1000);
    }
  };
  return {
    kind: tokenService.kind,
    issue: (request, options: CallOptions = {}) =>
      measure('issue', options.signal, () => tokenService.issue(request, options)),
    renew: (token, options: CallOptions = {}) =>
      measure('renew', options.signal, () => tokenService.renew(token, options)),
    cancel: (token, options: CallOptions = {}) =>
      measure('cancel', options.signal, () => tokenService.cancel(token, options)),
  };
}
