import { createPublicKeys, newSigningKey, type StampSigningKey } from '../../identity/stamps/stamp-keys.ts';
import type { KubernetesApi } from '../../kubernetes/kubernetes-api.ts';
import type { SecretRecords } from '../../kubernetes/secret-records.ts';
import { STAMP_KEYS_SECRETS } from '../decorate/stamp-key-secret.ts';
import { explainKubernetesFailure } from '../operator/explain-failure.ts';
import { type KubernetesOptions, type ObjectId, OPERATOR_EXIT } from '../operator/operator-command.ts';
import { withKubernetes } from '../operator/with-kubernetes.ts';
import type { Terminal } from '../terminal.ts';
import { announce, promote, retire, StampKeysRefusal } from './change-keys.ts';
import { describeResult, type StampKeysResult } from './describe-result.ts';
import { createKeySetSecret, KeySetError, type KeySetSecret } from './key-set.ts';
import { readPublishedKeys } from './published-keys.ts';
import { countStampedPods } from './stamped-pods.ts';

export type StampKeysRequest =
  | { readonly action: 'list' }
  | { readonly action: 'announce'; readonly another: boolean }
  | { readonly action: 'promote'; readonly key: string | undefined; readonly now: boolean }
  | { readonly action: 'retire'; readonly key: string; readonly now: boolean; readonly stolen: boolean };

export interface StampKeysTask {
  readonly request: StampKeysRequest;
  readonly secret: ObjectId;
  readonly json: boolean;
}

export interface StampKeysDependencies {
  readonly kubernetes: Pick<KubernetesApi, 'getConfigMap' | 'serverTime' | 'listPods'>;
  readonly secrets: Pick<SecretRecords, 'get' | 'replace'>;
  readonly newKey: () => StampSigningKey;
  readonly terminal: Pick<Terminal, 'out' | 'error'>;
}

export async function stampKeysWithKubeconfig(
  source: KubernetesOptions,
  task: StampKeysTask,
  terminal: Terminal,
): Promise<number> {
  try {
    return await withKubernetes(source, (kubernetes) => {
      const { namespace } = task.secret;
      const secrets = kubernetes.createSecretRecords({ ...STAMP_KEYS_SECRETS, namespace });
      return runStampKeys(task, { kubernetes, secrets, newKey: newSigningKey, terminal });
    });
  } catch (error) {
    return fail(error, terminal);
  }
}

/** @returns the exit code, of OPERATOR_EXIT */
export async function runStampKeys(
  task: StampKeysTask,
  dependencies: StampKeysDependencies,
): Promise<number> {
  const { terminal } = dependencies;
  try {
    const keySet = createKeySetSecret(dependencies.secrets, task.secret);
    const result = await perform(task, keySet, dependencies);
    const { out, notes } = describeResult(result, task);
    terminal.out(out);
    for (const note of notes) terminal.error(`kerbridge stamp-keys: ${note}\n`);
    return result.result === 'listed' && 'exitCode' in result.pods
      ? result.pods.exitCode
      : OPERATOR_EXIT.done;
  } catch (error) {
    return fail(error, terminal);
  }
}

async function perform(
  { request, secret: id }: StampKeysTask,
  secret: KeySetSecret,
  { kubernetes, newKey }: StampKeysDependencies,
): Promise<StampKeysResult> {
  switch (request.action) {
    case 'list': {
      const keySet = await secret.read();
      const published = await readPublishedKeys(kubernetes, id);
      const [first, ...rest] = keySet.keys;
      const pods = await countStampedPods(kubernetes, createPublicKeys([first, ...rest])).catch(
        (error: unknown) => {
          const explained = explainKubernetesFailure(error);
          if (explained === undefined) throw error;
          return explained;
        },
      );
      return { result: 'listed', keySet, published, pods };
    }
    case 'announce': {
      // Once: written by another in between, it is the same key that is tried again.
      const key = newKey();
      await secret.update((keySet) => Promise.resolve(announce(keySet, { key, another: request.another })));
      return { result: 'announced', kid: key.kid };
    }
    case 'promote': {
      let signed = '';
      const { key: kid, now } = request;
      const next = await secret.update((keySet) => {
        signed = keySet.keys[0].kid;
        return promote(keySet, { kid, now }, { kubernetes, id });
      });
      return next === undefined
        ? { result: 'already-signs', kid: signed }
        : { result: 'promoted', kid: next.keys[0].kid, before: signed };
    }
    case 'retire': {
      const { key: kid, now, stolen } = request;
      const done = await secret.update((keySet) => retire(keySet, { kid, now, stolen }, { kubernetes, id }));
      if (done === undefined) throw new Error('nothing was retired');
      return { result: 'retired', kid, pods: done.pods, stolen };
    }
  }
}

function fail(error: unknown, terminal: Pick<Terminal, 'error'>): number {
  const say = (message: string) => terminal.error(`kerbridge stamp-keys: ${message}\n`);
  const explained = explainKubernetesFailure(error);
  if (explained !== undefined) {
    say(explained.message);
    return explained.exitCode;
  }
  if (error instanceof StampKeysRefusal) {
    say(`refused: ${error.message}`);
    return OPERATOR_EXIT.refused;
  }
  if (!(error instanceof KeySetError)) throw error;
  say(error.message);
  return OPERATOR_EXIT.failed;
}
