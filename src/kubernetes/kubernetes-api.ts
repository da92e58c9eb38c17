import {
  AuthenticationV1Api,
  type ConfigurationOptions,
  CoreV1Api,
  createConfiguration,
  ServerConfiguration,
} from '@kubernetes/client-node';
import type { GetPod, ReviewServiceAccountToken } from '../authentication/kubernetes-access.ts';
import { KubernetesApiError } from './kubernetes-api-error.ts';
import { type KubeConfigSource, loadKubeConfig } from './load-kube-config.ts';
import { isPodNotFound, readPod, readTokenReview, readTokenReviewAnswer } from './read-reply.ts';
import { Transport } from './transport.ts';

export const DEFAULT_TIMEOUT_MS = 5_000;

export interface KubernetesApiOptions extends KubeConfigSource {
  /** Of one request; default {@link DEFAULT_TIMEOUT_MS}. */
  readonly timeoutMs?: number;
}

/**
 * The Kubernetes API as far as Kerbridge uses it. Every call rejects with KubernetesApiError when it could not get an
 * answer, or with the reason of an aborted signal.
 *
 * Rights needed: `create` on `tokenreviews.authentication.k8s.io`, `get` on `pods`. Nothing else.
 */
export interface KubernetesApi {
  /** URL of the API server. */
  readonly server: string;
  readonly reviewServiceAccountToken: ReviewServiceAccountToken;
  readonly getPod: GetPod;
  /** Resolves if the API server answers, accepts our credentials and lets us review tokens. One TokenReview. */
  readonly checkReady: (options?: { readonly signal?: AbortSignal }) => Promise<void>;
  /** Closes the connections; calls under way fail. */
  readonly close: () => void;
}

/** Throws KubernetesApiError `configuration`; connects to nothing yet. */
export function loadKubernetesApi(options: KubernetesApiOptions = {}): KubernetesApi {
  const { timeoutMs = DEFAULT_TIMEOUT_MS, ...source } = options;
  const kubeConfig = loadKubeConfig(source);
  const server = kubeConfig.getCurrentCluster()?.server ?? '';
  const transport = new Transport({ kubeConfig, timeoutMs });
  const configuration = createConfiguration({ baseServer: new ServerConfiguration(server, {}) });
  const authenticationApi = new AuthenticationV1Api(configuration);
  const coreApi = new CoreV1Api(configuration);

  async function call<T>(
    what: { readonly request: string; readonly rule: string },
    signal: AbortSignal | undefined,
    start: (options: ConfigurationOptions) => Promise<T>,
  ): Promise<T> {
    try {
      return await start({ httpApi: transport.withSignal(signal) });
    } catch (error) {
      signal?.throwIfAborted();
      throw wrapError(error, what);
    }
  }

  const reviewServiceAccountToken: ReviewServiceAccountToken = async (
    serviceAccountToken,
    audiences,
    { signal } = {},
  ) => {
    // No audience means the API server's own.
    if (audiences.length === 0 || audiences.includes(''))
      throw new RangeError('a TokenReview needs an audience');
    const sent = serviceAccountToken.reveal();
    const body = {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenReview',
      spec: { token: sent, audiences: [...audiences] },
    };
    const what = { request: 'TokenReview', rule: '`create` on `tokenreviews` of `authentication.k8s.io`' };
    const review = await call(what, signal, (callOptions) =>
      authenticationApi.createTokenReview({ body }, callOptions),
    );
    return readTokenReview(review, sent);
  };

  const getPod: GetPod = async (namespace, name, { signal } = {}) => {
    const what = { request: `GET pod ${namespace}/${name}`, rule: '`get` on `pods`' };
    const pod = await call(what, signal, async (callOptions) => {
      try {
        return await coreApi.readNamespacedPod({ namespace, name }, callOptions);
      } catch (error) {
        const { status, body } = replyOf(error);
        if (status === 404 && isPodNotFound(body, name)) return undefined;
        throw error;
      }
    });
    return pod === undefined ? undefined : readPod(pod, namespace, name);
  };

  const checkReady: KubernetesApi['checkReady'] = async ({ signal } = {}) => {
    const what = { request: 'TokenReview', rule: '`create` on `tokenreviews` of `authentication.k8s.io`' };
    // The answer is always no; that there is one is what counts.
    const body = {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenReview',
      spec: { token: 'readiness-check' },
    };
    const review = await call(what, signal, (callOptions) =>
      authenticationApi.createTokenReview({ body }, callOptions),
    );
    readTokenReviewAnswer(review);
  };

  return {
    server,
    reviewServiceAccountToken,
    getPod,
    checkReady,
    close: () => {
      transport.close();
    },
  };
}

/** Status and body of client-node's ApiException, by shape. */
function replyOf(error: unknown): { status: number | undefined; body: unknown } {
  if (typeof error !== 'object' || error === null || !('code' in error) || typeof error.code !== 'number') {
    return { status: undefined, body: undefined };
  }
  return { status: error.code, body: 'body' in error ? error.body : undefined };
}

function wrapError(error: unknown, { request, rule }: { request: string; rule: string }): KubernetesApiError {
  if (error instanceof KubernetesApiError) {
    return new KubernetesApiError(error.code, `${request}: ${error.message}`, {
      ...(error.httpStatus === undefined ? {} : { httpStatus: error.httpStatus }),
      ...(error.fix === undefined ? {} : { fix: error.fix }),
    });
  }
  const { status } = replyOf(error);
  if (status === undefined) {
    return new KubernetesApiError('bad-reply', `${request}: the reply is not what a Kubernetes API sends`);
  }
  const message = `${request}: the Kubernetes API answered ${status}`;
  if (status === 401) {
    const fix =
      'our own credentials are not accepted: check the user of the kubeconfig, or this pod’s service account';
    return new KubernetesApiError('unauthorized', message, { httpStatus: status, fix });
  }
  if (status === 403) {
    const fix = `grant our service account ${rule} with a ClusterRole`;
    return new KubernetesApiError('forbidden', message, { httpStatus: status, fix });
  }
  if (status === 429) return new KubernetesApiError('too-many-requests', message, { httpStatus: status });
  if (status >= 500) return new KubernetesApiError('server-error', message, { httpStatus: status });
  return new KubernetesApiError('bad-reply', message, { httpStatus: status });
}
