import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeCredentials } from '../../../src/hadoop/codec/credentials.ts';
import { decodeTokenIdentifier } from '../../../src/hadoop/codec/token-identifier.ts';
import type { Secret } from '../../../src/observability/secret.ts';
import { readStack, type Stack } from '../../stack/stack.ts';
import type { ApiObject } from '../api-caller.ts';
import { grantClusterRole } from '../cluster-role.ts';
import { kubeconfigFor, LEAST_RULES, loadConfig } from '../kubernetes-objects.ts';
import { readPublishedKeys } from '../published-stamp-keys.ts';
import { runPod, tokenIn } from '../run-pod.ts';
import { type ServeProcess, startServe } from '../serve-process.ts';
import { type Answer, askCredentials, AUDIENCE } from '../serve/serve-world.ts';
import { stackCluster } from '../stack-cluster.ts';
import { DecorateWorld } from './decorate-world.ts';

const NODE = 'worker-1';
const SERVE = 'serve-of-a-test';

/** A pod's spec with the volume that makes the kubelet ask for a token with the audience of `serve`. */
export const hadoopPodSpec = (change: object = {}): object => ({
  terminationGracePeriodSeconds: 0,
  containers: [{ name: 'main', image: 'trainer:1' }],
  volumes: [
    {
      name: 'kerbridge',
      projected: {
        sources: [{ serviceAccountToken: { audience: AUDIENCE, expirationSeconds: 3600, path: 'token' } }],
      },
    },
  ],
  ...change,
});

/**
 * `decorate` in a Kubernetes of its own, with its controllers and admission policies, and any number of `serve` processes
 * that demand signatures, in front of the stack's HDFS. No kubelet runs; what it would do is done in its name.
 */
export class HdfsWorld implements AsyncDisposable {
  readonly decorated: DecorateWorld;
  readonly stack: Stack;
  readonly #kubeconfig: string;
  readonly #serves: ServeProcess[] = [];

  private constructor(decorated: DecorateWorld, stack: Stack) {
    this.decorated = decorated;
    this.stack = stack;
    this.#kubeconfig = join(decorated.folder, 'serve.kubeconfig');
  }

  static async open(): Promise<HdfsWorld> {
    const stack = await readStack();
    const decorated = await DecorateWorld.open();
    try {
      const world = new HdfsWorld(decorated, stack);
      await world.#prepareAccount();
      return world;
    } catch (error) {
      await decorated[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** With the rights that deploy/ gives it, and no others. */
  async #prepareAccount(): Promise<void> {
    const { api, stack } = this.decorated;
    await this.decorated.createNamespace(SERVE);
    const accounts = `/api/v1/namespaces/${SERVE}/serviceaccounts`;
    await api.must(accounts, { method: 'POST', body: { metadata: { name: SERVE } } });
    const subjects = [{ kind: 'ServiceAccount', name: SERVE, namespace: SERVE }];
    await grantClusterRole(api, SERVE, { rules: LEAST_RULES, subjects });
    const own = await api.must(`${accounts}/${SERVE}/token`, { method: 'POST', body: { spec: {} } });
    const admin = loadConfig(stack.kubernetes.kubeconfig.admin);
    await writeFile(this.#kubeconfig, await kubeconfigFor(admin, tokenIn(own)), { mode: 0o600 });
  }

  /** See `readPublishedKeys`. */
  async publishedKeys(): Promise<string> {
    return await readPublishedKeys(this.decorated.api);
  }

  async serve(stampKeysFile: string): Promise<ServeProcess> {
    const serve = await startServe({
      dir: this.decorated.folder,
      config: {
        kubernetes: { kubeconfig: this.#kubeconfig, audience: AUDIENCE },
        clusters: [stackCluster(this.stack)],
        identity: {
          requireSignature: true,
          stampKeysFile,
          revocationsConfigMap: { namespace: SERVE },
        },
        delegationTokens: { storeNamespace: SERVE },
      },
    });
    this.#serves.push(serve);
    return serve;
  }

  /** What scheduler and kubelet do; resolves to the token that the pod then finds in its volume. */
  async run(pod: ApiObject): Promise<Secret<string>> {
    return await runPod(this.decorated.api, pod, { node: NODE, audience: AUDIENCE });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const serve of this.#serves) await serve.stop();
    await this.decorated[Symbol.asyncDispose]();
  }
}

export async function ask(serve: ServeProcess, serviceAccountToken: Secret<string>): Promise<Answer> {
  return await askCredentials(serve, serviceAccountToken.reveal());
}

/** Of the delegation tokens in an answer, as Hadoop wrote them into their identifiers. */
export function ownersIn({ json }: Answer): readonly string[] {
  const { tokens } = decodeCredentials(Buffer.from(String(json['credentials']), 'base64')).credentials;
  return tokens.map(({ token }) => decodeTokenIdentifier(token.kind, token.identifier).owner);
}
