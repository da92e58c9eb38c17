import {
  AuthenticationV1Api,
  AuthorizationV1Api,
  CoreV1Api,
  createConfiguration,
  ServerConfiguration,
} from '@kubernetes/client-node';
import type { OptedInNamespace } from '../admission/decorator-parts.ts';
import type { ReadObject, ReadStoredSchemas } from '../admission/look-ups.ts';
import type { GetPod, PodView } from '../authentication/kubernetes-access.ts';
import type { ReadServiceAccountIssuer } from '../authentication/signing-keys.ts';
import { isStatusAbout, replyOf } from './api-reply.ts';
import { describeFailure } from './describe-failure.ts';
import { type KubeConfigSource, loadKubeConfig } from './load-kube-config.ts';
import { type Call, createOperatorCalls, type OperatorCalls } from './operator-calls.ts';
import { createPreflightCalls, type PreflightCalls } from './preflight-calls.ts';
import {
  createPodReflector,
  POD,
  type PodReflector,
  type PodReflectorOptions,
} from './pod-reflector/pod-reflector.ts';
import { readPod } from './read-reply.ts';
import { listPods } from './list-pods.ts';
import { createHttpObjectSource } from './reflector/object-source.ts';
import { createSecretRecords, type SecretRecords, type SecretRecordsOptions } from './secret-records.ts';
import { createOptedInNamespaces, type OptedInNamespacesOptions } from './opted-in-namespaces.ts';
import { createObjectReader } from './object-reader.ts';
import { createStoredSchemas } from './stored-schemas.ts';
import { createServiceAccountIssuerReader } from './service-account-issuer.ts';
import { createTokenReviews, type TokenReviews } from './token-reviews.ts';
import { Transport } from './transport.ts';
import type { Clock } from '../time/clock.ts';
import { createPutCaBundle, type PutCaBundle } from './webhook-configurations.ts';

export const DEFAULT_TIMEOUT_MS = 5_000;

export interface KubernetesApiOptions extends KubeConfigSource {
  /** Of one request; default {@link DEFAULT_TIMEOUT_MS}. */
  readonly timeoutMs?: number;
}

/**
 * The Kubernetes API as far as Kerbridge uses it. Every call rejects with KubernetesApiError when it could not get an
 * answer, or with the reason of an aborted signal.
 *
 * Rights needed: `create` on `tokenreviews.authentication.k8s.io`, `get` on `pods`, and what each method,
 * {@link OperatorCalls} and {@link PreflightCalls} say.
 */
export interface KubernetesApi extends TokenReviews, OperatorCalls, PreflightCalls {
  /** URL of the API server. */
  readonly server: string;
  readonly getPod: GetPod;
  /**
   * The issuer and the public keys of service-account tokens. `get` on the non-resource URLs
   * `/.well-known/openid-configuration` and `/openid/v1/jwks`, which every service account has by default.
   */
  readonly readServiceAccountIssuer: ReadServiceAccountIssuer;
  /** Of all namespaces. `labelSelector` as in `kubectl -l`, default all pods. `list` and `watch` on `pods`. */
  readonly createPodReflector: (
    options: Omit<PodReflectorOptions, 'source'> & { readonly labelSelector?: string },
  ) => PodReflector;
  /**
   * The pods of one namespace, or of all (undefined), page by page, as the API server has them at one moment not before the
   * call: a consistent LIST, whatever their labels unless `labelSelector` (as in `kubectl -l`) says so. Rejects in the middle
   * when it can't be gone on with; then what has come is no whole. `list` on `pods`.
   */
  readonly listPods: (
    namespace: string | undefined,
    options?: { readonly signal?: AbortSignal; readonly labelSelector?: string },
  ) => AsyncIterable<readonly PodView[]>;
  /** `get`, `list`, `watch`, `create`, `update` and `delete` on `secrets` in that namespace. */
  readonly createSecretRecords: (options: SecretRecordsOptions) => SecretRecords;
  /** Objects of any kind that has a namespace, for what owns pods. `get` on those resources. */
  readonly createObjectReader: (options: { readonly clock: Clock }) => ReadObject;
  /** What custom resources lose when they are stored. `get` on `customresourcedefinitions`. */
  readonly createStoredSchemas: (options: { readonly clock: Clock }) => ReadStoredSchemas;
  /** The UIDs of namespaces that carry a label. `get` on `namespaces`. */
  readonly createOptedInNamespaces: (
    options: Pick<OptedInNamespacesOptions, 'label' | 'value' | 'clock'>,
  ) => OptedInNamespace;
  /** `get` and `update` on the `mutatingwebhookconfigurations` and `validatingwebhookconfigurations` of that name. */
  readonly putCaBundle: PutCaBundle;
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
  const authorizationApi = new AuthorizationV1Api(configuration);
  const coreApi = new CoreV1Api(configuration);

  const call: Call = async (what, signal, start) =>
    await describeFailure(what, signal, () => start({ httpApi: transport.withSignal(signal) }));

  const getPod: GetPod = async (namespace, name, { signal } = {}) => {
    const what = { request: `GET pod ${namespace}/${name}`, rule: '`get` on `pods`' };
    const pod = await call(what, signal, async (callOptions) => {
      try {
        return await coreApi.readNamespacedPod({ namespace, name }, callOptions);
      } catch (error) {
        const { status, body } = replyOf(error);
        if (status === 404 && isStatusAbout(body, { reason: 'NotFound', kind: 'pods', name }))
          return undefined;
        throw error;
      }
    });
    return pod === undefined ? undefined : readPod(pod, namespace, name);
  };

  return {
    server,
    ...createTokenReviews({ transport, server }),
    getPod,
    readServiceAccountIssuer: createServiceAccountIssuerReader({ call, configuration }),
    createPodReflector: ({ labelSelector = '', ...reflectorOptions }) =>
      createPodReflector({
        ...reflectorOptions,
        source: createHttpObjectSource({ transport, server, of: POD, labelSelector }),
      }),
    listPods: (namespace, { signal, labelSelector = '' } = {}) =>
      listPods({ transport, server, namespace, labelSelector, signal }),
    createSecretRecords: (secretOptions) => createSecretRecords(secretOptions, { transport, server }),
    createOptedInNamespaces: (given) => createOptedInNamespaces({ ...given, transport, server }),
    createObjectReader: ({ clock }) => createObjectReader({ transport, server, clock }),
    createStoredSchemas: ({ clock }) => createStoredSchemas({ transport, server, clock }),
    putCaBundle: createPutCaBundle({ transport, server }),
    ...createOperatorCalls({
      call,
      authenticationApi,
      coreApi,
      authorizationApi,
      lastDate: () => transport.lastDate,
    }),
    ...createPreflightCalls({ call, coreApi, authorizationApi, kubeConfig }),
    close: () => {
      transport.close();
    },
  };
}
