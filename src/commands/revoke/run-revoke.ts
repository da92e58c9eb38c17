import { ConfigError } from '../../config/config-problem.ts';
import { formatRevocations, MAX_REVOCATION_TEXT } from '../../config/revocations-document.ts';
import {
  addRevocation,
  isInForce,
  pruneRevocations,
  removeRevocation,
  type Revocation,
  type RevocationSubject,
} from '../../identity/revocations.ts';
import type { KubernetesApi } from '../../kubernetes/kubernetes-api.ts';
import { KubernetesApiError } from '../../kubernetes/kubernetes-api-error.ts';
import {
  createRevocationsConfigMap,
  ForeignConfigMapError,
  type RevocationsConfigMap,
} from '../../kubernetes/revocations-config-map.ts';
import { explainKubernetesFailure } from '../operator/explain-failure.ts';
import { printable } from '../operator/format-table.ts';
import { type KubernetesOptions, type ObjectId, OPERATOR_EXIT } from '../operator/operator-command.ts';
import { withKubernetes } from '../operator/with-kubernetes.ts';
import { parseRevocationsText } from '../revocations-text.ts';
import type { Terminal } from '../terminal.ts';
import { describeResult, type RevokeResult } from './describe-result.ts';

export type RevokeRequest =
  | { readonly action: 'list' }
  | { readonly action: 'undo'; readonly subject: RevocationSubject }
  | {
      readonly action: 'revoke';
      readonly subject: RevocationSubject;
      /** undefined: until it is taken back. */
      readonly forMs: number | undefined;
      readonly reason: string | undefined;
    };

export interface RevokeTask {
  readonly request: RevokeRequest;
  readonly configMap: ObjectId;
  readonly json: boolean;
}

export interface RevokeDependencies {
  readonly kubernetes: Pick<
    KubernetesApi,
    'getPod' | 'getConfigMap' | 'createConfigMap' | 'patchConfigMap' | 'whoAmI' | 'serverTime'
  >;
  readonly terminal: Pick<Terminal, 'out' | 'error'>;
}

export async function revokeWithKubeconfig(
  source: KubernetesOptions,
  task: RevokeTask,
  terminal: Terminal,
): Promise<number> {
  try {
    return await withKubernetes(source, (kubernetes) => runRevoke(task, { kubernetes, terminal }));
  } catch (error) {
    return fail(error, task, terminal);
  }
}

/** @returns the exit code, of OPERATOR_EXIT */
export async function runRevoke(task: RevokeTask, dependencies: RevokeDependencies): Promise<number> {
  const { kubernetes, terminal } = dependencies;
  try {
    const configMap = createRevocationsConfigMap(kubernetes, task.configMap);
    const result = await perform(task.request, configMap, dependencies);
    const { out, notes } = describeResult(result, task);
    terminal.out(out);
    for (const note of notes) terminal.error(`kerbridge revoke: ${note}\n`);
    return OPERATOR_EXIT.done;
  } catch (error) {
    return fail(error, task, terminal);
  }
}

/** The pod can't be named by its name alone. */
class NoSuchPodError extends Error {}

/** Times are the API server's, as it said with the ConfigMap: the clock of an operator's machine may be hours out. */
async function perform(
  request: RevokeRequest,
  configMap: RevocationsConfigMap,
  { kubernetes }: RevokeDependencies,
): Promise<RevokeResult> {
  switch (request.action) {
    case 'list': {
      const revocations = parseRevocationsText(await configMap.read());
      return { result: 'listed', revocations: pruneRevocations(revocations, kubernetes.serverTime()) };
    }
    case 'undo': {
      const { subject } = request;
      let before: readonly Revocation[] = [];
      let after: readonly Revocation[] = [];
      let now = 0;
      await configMap.update((text) => {
        now = kubernetes.serverTime();
        before = parseRevocationsText(text);
        after = removeRevocation(before, subject);
        return after.length === before.length ? text : formatRevocations(pruneRevocations(after, now));
      });
      const kept = new Set(after);
      const takenBack = before.filter((each) => !kept.has(each) && isInForce(each, now));
      return { result: takenBack.length === 0 ? 'not-revoked' : 'taken-back', subject, takenBack };
    }
    case 'revoke': {
      const target = await findTarget(request.subject, kubernetes);
      const by = printable(await kubernetes.whoAmI()).slice(0, MAX_REVOCATION_TEXT);
      let revocation: Revocation | undefined;
      const wrote = await configMap.update((text) => {
        const now = kubernetes.serverTime();
        const earlier = pruneRevocations(parseRevocationsText(text), now);
        // What is there about the same one already is what taking it back would take out.
        const rest = new Set(removeRevocation(earlier, target));
        const there = earlier.find((each) => !rest.has(each));
        const until = request.forMs === undefined ? undefined : now + request.forMs;
        const reason = request.reason ?? there?.reason ?? '';
        const next = addRevocation(earlier, { ...target, revokedAt: now, until, reason, by });
        const added = next.at(-1);
        if (there !== undefined && added?.until === there.until && reason === there.reason) {
          revocation = there;
          return text;
        }
        revocation = added;
        return formatRevocations(next);
      });
      if (revocation === undefined) throw new Error('nothing was revoked');
      return {
        result: wrote === 'unchanged' ? 'already-revoked' : 'revoked',
        revocation,
        created: wrote === 'created',
      };
    }
  }
}

type Target = { user: string } | { pod: { namespace: string; name: string; uid: string } };

/** A pod is revoked by its UID: another one may come to have its name. */
async function findTarget(
  subject: RevocationSubject,
  { getPod }: Pick<KubernetesApi, 'getPod'>,
): Promise<Target> {
  if ('user' in subject) return { user: subject.user };
  const { namespace, name, uid } = subject.pod;
  if (uid !== undefined) return { pod: { namespace, name, uid } };
  const pod = await getPod(namespace, name).catch((error: unknown) => {
    if (!(error instanceof KubernetesApiError) || error.code !== 'forbidden') throw error;
    const fix = `get the right \`get\` on \`pods\` in namespace \`${namespace}\`, or name the pod's UID with --uid`;
    throw new KubernetesApiError(error.code, error.message, { fix });
  });
  if (pod === undefined) {
    throw new NoSuchPodError(
      `there is no pod ${namespace}/${name} now: name the one that was with --uid (audit lines have it), or its --user`,
    );
  }
  return { pod: { namespace, name, uid: pod.uid } };
}

function fail(
  error: unknown,
  { configMap: { namespace, name } }: RevokeTask,
  terminal: Pick<Terminal, 'error'>,
): number {
  const say = (message: string) => terminal.error(`kerbridge revoke: ${message}\n`);
  const explained = explainKubernetesFailure(error);
  if (explained !== undefined) {
    say(explained.message);
    return explained.exitCode;
  }
  if (error instanceof ConfigError) {
    say(`ConfigMap ${namespace}/${name} holds no valid list, and was left as it is: ` + error.message);
  } else if (error instanceof ForeignConfigMapError || error instanceof NoSuchPodError) {
    say(error.message);
  } else {
    throw error;
  }
  return OPERATOR_EXIT.failed;
}
