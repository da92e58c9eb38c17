import { ConfigError } from '../../config/config-problem.ts';
import { parseRevocations } from '../../config/revocations-document.ts';
import type { ConfigMapId, OperatorCalls } from '../../kubernetes/operator-calls.ts';
import {
  createRevocationsConfigMap,
  ForeignConfigMapError,
  REVOCATIONS_KEY,
} from '../../kubernetes/revocations-config-map.ts';
import type { Finding } from '../finding.ts';
import { failed, ok, warning } from '../say.ts';
import { explainKubernetes } from './explain-kubernetes.ts';

type Calls = Pick<OperatorCalls, 'getConfigMap' | 'createConfigMap' | 'patchConfigMap'>;

/** Whether the ConfigMap that `kerbridge revoke` writes can be read and understood: else `serve` refuses everybody. */
export async function checkRevocations(
  id: ConfigMapId,
  calls: Calls,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const name = `${id.namespace}/${id.name}`;
  const subject = { id: 'revocations-config-map', title: `Revocations in ConfigMap ${name}` };
  let exists = false;
  const getConfigMap: Calls['getConfigMap'] = async (...asked) => {
    const found = await calls.getConfigMap(...asked);
    exists = found !== undefined;
    return found;
  };
  try {
    const text = await createRevocationsConfigMap({ ...calls, getConfigMap }, id).read({ signal });
    if (!exists) {
      const fix = `Make it, without data: kubectl -n ${id.namespace} create configmap ${id.name}; or correct identity.revocationsConfigMap`;
      const detail =
        'there is none: nobody is revoked, and only who may create ConfigMaps there can revoke anybody';
      return [warning(subject, detail, fix)];
    }
    const count = text === undefined ? 0 : parseRevocations(text).length;
    return [ok(subject, `${count} revocation(s)`)];
  } catch (error) {
    if (error instanceof ForeignConfigMapError) {
      const fix = `Name the ConfigMap of the revocations with identity.revocationsConfigMap, or put them under the key ${REVOCATIONS_KEY}`;
      return [failed(subject, `it has other keys, but not ${REVOCATIONS_KEY}`, fix)];
    }
    if (error instanceof ConfigError) {
      const fix = `Correct it (kubectl -n ${id.namespace} edit configmap ${id.name}): docs/identity-rules.md, "Revocations", has its format`;
      return error.problems.map(({ path, message }) =>
        failed(subject, path === '' ? message : `${path}: ${message}`, fix),
      );
    }
    return [
      explainKubernetes(subject, error, `See what kubectl -n ${id.namespace} get configmap ${id.name} says`),
    ];
  }
}
