import { type TokenStore, TokenStoreError } from '../../delegation-tokens/token-store.ts';
import type { Metrics } from '../../observability/metrics.ts';

/** The same store, its calls counted. */
export function measureTokenStore(store: TokenStore, metrics: Pick<Metrics, 'tokenStoreCalls'>): TokenStore {
  const count = (operation: 'read' | 'write', outcome: string): void => {
    metrics.tokenStoreCalls.inc({ operation, outcome });
  };
  const outcomeOf = (error: unknown): string =>
    error instanceof TokenStoreError ? error.failure : 'aborted';
  return {
    start: (onChange, options) => store.start(onChange, options),
    stop: () => store.stop(),
    knownUntil: () => store.knownUntil(),
    read: async (id, options) => {
      try {
        const stored = await store.read(id, options);
        count('read', 'ok');
        return stored;
      } catch (error) {
        count('read', outcomeOf(error));
        throw error;
      }
    },
    write: async (record, expected, options) => {
      try {
        const result = await store.write(record, expected, options);
        count('write', result.outcome === 'written' ? 'ok' : 'conflict');
        return result;
      } catch (error) {
        count('write', outcomeOf(error));
        throw error;
      }
    },
  };
}
