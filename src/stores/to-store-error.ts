import { TokenStoreError } from '../delegation-tokens/token-store.ts';
import { KubernetesApiError } from '../kubernetes/kubernetes-api-error.ts';

/** What the API server understood and will not do, however often it is asked. */
const REFUSED: readonly (number | undefined)[] = [400, 404, 405, 413, 415, 422];

export function toStoreError(error: unknown): TokenStoreError {
  if (error instanceof TokenStoreError) return error;
  if (!(error instanceof KubernetesApiError)) {
    return new TokenStoreError('unreachable', 'the store does not work', { cause: error });
  }
  const { code, httpStatus, message, fix } = error;
  const isDenied = code === 'unauthorized' || code === 'forbidden' || REFUSED.includes(httpStatus);
  return new TokenStoreError(isDenied ? 'denied' : 'unreachable', message, {
    cause: error,
    ...(fix === undefined ? {} : { fix }),
  });
}
