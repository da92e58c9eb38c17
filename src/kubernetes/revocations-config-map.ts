import { KubernetesApiError, type KubernetesApiFailure } from './kubernetes-api-error.ts';
import type { ConfigMapId, ConfigMapView, OperatorCalls } from './operator-calls.ts';

/** The key of the ConfigMap's data under which the document is. */
export const REVOCATIONS_KEY = 'revocations.yaml';

/** Each time somebody else has written in between; each such time somebody's write got through. */
const MAX_ATTEMPTS = 10;

export interface RevocationsConfigMap {
  /**
   * The text of the document; undefined if there is no ConfigMap, or nothing in it. Rejects with KubernetesApiError, or
   * with ForeignConfigMapError.
   */
  read(options?: { readonly signal?: AbortSignal }): Promise<string | undefined>;
  /**
   * Reads, changes and writes, all over again if somebody else has written in between. `change` may be called several
   * times and may throw; when it returns what it was given, nothing is written. Either the whole text is written or
   * nothing is. After a call without a clear answer it may have been written; the error says so.
   */
  update(
    change: (text: string | undefined) => string | undefined,
  ): Promise<'unchanged' | 'written' | 'created'>;
}

/** There is such a ConfigMap, but it holds something else: a wrong name, or a document under a wrong key. */
export class ForeignConfigMapError extends Error {
  override readonly name = 'ForeignConfigMapError';
}

export function createRevocationsConfigMap(
  calls: Pick<OperatorCalls, 'getConfigMap' | 'createConfigMap' | 'patchConfigMap'>,
  id: ConfigMapId,
): RevocationsConfigMap {
  return {
    read: async (options) => textOf(await calls.getConfigMap(id, options), id),
    update: async (change) => {
      for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
        const found = await calls.getConfigMap(id);
        const before = textOf(found, id);
        const after = change(before);
        if (after === undefined || after === before) return 'unchanged';
        const data = { [REVOCATIONS_KEY]: after };
        try {
          if (found === undefined) {
            if (await calls.createConfigMap(id, data)) return 'created';
          } else if (await calls.patchConfigMap(id, { resourceVersion: found.resourceVersion, data })) {
            return 'written';
          }
        } catch (error) {
          throw withDoubt(error);
        }
      }
      throw new KubernetesApiError(
        'bad-reply',
        `ConfigMap ${id.namespace}/${id.name} was changed by others ${MAX_ATTEMPTS} times in a row`,
        { fix: 'try again' },
      );
    },
  };
}

function textOf(configMap: ConfigMapView | undefined, { namespace, name }: ConfigMapId): string | undefined {
  const data = configMap?.data ?? {};
  const text = Object.hasOwn(data, REVOCATIONS_KEY) ? data[REVOCATIONS_KEY] : undefined;
  // Not "an empty list": somebody wrote a list, or whatever it is, where nobody would read it.
  if (text === undefined && Object.keys(data).length > 0) {
    throw new ForeignConfigMapError(
      `ConfigMap ${namespace}/${name} has other keys, but not ${REVOCATIONS_KEY}: correct its name, or the key`,
    );
  }
  return text;
}

/** Where nobody knows if the API server has done what it was asked. */
function withDoubt(error: unknown): unknown {
  if (!(error instanceof KubernetesApiError) || !UNCLEAR.includes(error.code)) return error;
  return new KubernetesApiError(error.code, `${error.message}; it may have been written all the same`, {
    fix: 'say it again, which does no harm',
  });
}

const UNCLEAR: readonly KubernetesApiFailure[] = ['unreachable', 'timeout', 'server-error'];
