import {
  type AuthenticationV1Api,
  type AuthorizationV1Api,
  type ConfigurationOptions,
  type CoreV1Api,
  PatchStrategy,
  setHeaderOptions,
} from '@kubernetes/client-node';
import type { ReviewAccess } from '../authentication/authenticate-operator.ts';
import { Secret } from '../observability/secret.ts';
import { fieldOf, isStatusAbout, replyOf } from './api-reply.ts';
import type { CallDescription } from './error-of-status.ts';
import { KubernetesApiError } from './kubernetes-api-error.ts';
import { toEpochMs } from './read-reply.ts';

/** Runs one call of client-node and wraps what it throws; see `loadKubernetesApi`. */
export type Call = <T>(
  what: CallDescription,
  signal: AbortSignal | undefined,
  start: (options: ConfigurationOptions) => Promise<T>,
) => Promise<T>;

export interface Signalled {
  readonly signal?: AbortSignal;
}

export interface ConfigMapId {
  readonly namespace: string;
  readonly name: string;
}

export interface ConfigMapView {
  /** For {@link OperatorCalls.patchConfigMap}. */
  readonly resourceVersion: string;
  /** `data`, without `binaryData`. */
  readonly data: Readonly<Record<string, string>>;
}

export interface FoundConfigMap extends ConfigMapView {
  /**
   * When anybody last changed `data`, by the API server's clock, which shows whole seconds: ms since the epoch. Never before
   * that; later, if the same client has changed something else since. undefined: `managedFields` doesn't say.
   */
  readonly dataWrittenAt: number | undefined;
}

/** Rejects with KubernetesApiError, or with the reason of an aborted signal. */
export interface OperatorCalls {
  /** undefined: the API server says that there is none. `get` on `configmaps`. */
  readonly getConfigMap: (id: ConfigMapId, options?: Signalled) => Promise<FoundConfigMap | undefined>;
  /** False: there is one already. `create` on `configmaps`. */
  readonly createConfigMap: (
    id: ConfigMapId,
    data: Readonly<Record<string, string>>,
    options?: Signalled,
  ) => Promise<boolean>;
  /**
   * Sets these keys and leaves all else as it is. False: the ConfigMap is gone, or was changed since that
   * `resourceVersion`, and nothing was written. `patch` on `configmaps`.
   */
  readonly patchConfigMap: (id: ConfigMapId, change: ConfigMapView, options?: Signalled) => Promise<boolean>;
  /** SubjectAccessReview. `create` on `subjectaccessreviews`. */
  readonly reviewAccess: ReviewAccess;
  /** Who we are to the API server (SelfSubjectReview), which everybody who is somebody may ask. */
  readonly whoAmI: (options?: Signalled) => Promise<string>;
  /**
   * The API server's time at its last reply to a call, in whole seconds: ms since the epoch. For what others will read by
   * clocks of the cluster: that of whoever calls may be wrong. Throws KubernetesApiError `bad-reply` if it didn't say.
   */
  readonly serverTime: () => number;
  /** TokenRequest for a service account, bound to nothing else. `create` on `serviceaccounts/token`. */
  readonly requestServiceAccountToken: (
    account: { readonly namespace: string; readonly name: string },
    request: { readonly audience: string; readonly lifetimeMs: number },
    options?: Signalled,
  ) => Promise<Secret<string>>;
}

export function createOperatorCalls({
  call,
  authenticationApi,
  coreApi,
  authorizationApi,
  lastDate,
}: {
  readonly call: Call;
  readonly authenticationApi: AuthenticationV1Api;
  readonly coreApi: CoreV1Api;
  readonly authorizationApi: AuthorizationV1Api;
  /** See `Transport.lastDate`. */
  readonly lastDate: () => number | undefined;
}): OperatorCalls {
  const getConfigMap: OperatorCalls['getConfigMap'] = async (id, { signal } = {}) => {
    const found = await call(describeConfigMap('get', id), signal, (callOptions) =>
      orUndefined(coreApi.readNamespacedConfigMap(id, callOptions), 404, 'NotFound', id.name),
    );
    return found === undefined ? undefined : readConfigMap(found, id);
  };

  const createConfigMap: OperatorCalls['createConfigMap'] = async (id, data, { signal } = {}) => {
    const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: id.name }, data: { ...data } };
    const created = await call(describeConfigMap('create', id), signal, (callOptions) =>
      orUndefined(
        coreApi.createNamespacedConfigMap({ namespace: id.namespace, body }, callOptions),
        409,
        'AlreadyExists',
        id.name,
      ),
    );
    return created !== undefined;
  };

  const patchConfigMap: OperatorCalls['patchConfigMap'] = async (id, change, { signal } = {}) => {
    // A merge patch with a resourceVersion is refused with 409 when the object has another one.
    const body = { metadata: { resourceVersion: change.resourceVersion }, data: change.data };
    const patched = await call(describeConfigMap('patch', id), signal, async (callOptions) => {
      const patch = coreApi.patchNamespacedConfigMap(
        { ...id, body },
        setHeaderOptions('Content-Type', PatchStrategy.MergePatch, callOptions),
      );
      return await orUndefined(orUndefined(patch, 409, 'Conflict', id.name), 404, 'NotFound', id.name);
    });
    return patched !== undefined;
  };

  const reviewAccess: ReviewAccess = async (user, access, { signal } = {}) => {
    const rule = '`create` on `subjectaccessreviews` of `authorization.k8s.io`';
    const body = {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SubjectAccessReview',
      spec: {
        user: user.username,
        uid: user.uid,
        groups: [...user.groups],
        extra: Object.fromEntries(Object.entries(user.extra).map(([key, values]) => [key, [...values]])),
        resourceAttributes: { ...access },
      },
    };
    const review = await call({ request: 'SubjectAccessReview', rule }, signal, (callOptions) =>
      authorizationApi.createSubjectAccessReview({ body }, callOptions),
    );
    return readAccessReview(review);
  };

  const whoAmI: OperatorCalls['whoAmI'] = async ({ signal } = {}) => {
    const rule = '`create` on `selfsubjectreviews` of `authentication.k8s.io`';
    const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' };
    const review = await call({ request: 'SelfSubjectReview', rule }, signal, (callOptions) =>
      authenticationApi.createSelfSubjectReview({ body }, callOptions),
    );
    const username = fieldOf(fieldOf(fieldOf(review, 'status'), 'userInfo'), 'username');
    if (typeof username !== 'string' || username === '') throw badReply('a SelfSubjectReview without a user');
    return username;
  };

  const serverTime: OperatorCalls['serverTime'] = () => {
    const time = lastDate();
    if (time === undefined) throw badReply('no Date with its reply');
    return time;
  };

  const requestServiceAccountToken: OperatorCalls['requestServiceAccountToken'] = async (
    account,
    { audience, lifetimeMs },
    { signal } = {},
  ) => {
    const { namespace, name } = account;
    const rule = `\`create\` on \`serviceaccounts/token\` (name \`${name}\`) in namespace \`${namespace}\``;
    const what = {
      request: `TokenRequest for service account ${namespace}/${name}`,
      rule,
      fixes: { 403: `ask for the right ${rule}`, 404: 'there is no such service account: correct its name' },
    };
    const body = { spec: { audiences: [audience], expirationSeconds: Math.ceil(lifetimeMs / 1000) } };
    const requested = await call(what, signal, (callOptions) =>
      coreApi.createNamespacedServiceAccountToken({ namespace, name, body }, callOptions),
    );
    const serviceAccountToken = fieldOf(fieldOf(requested, 'status'), 'token');
    if (typeof serviceAccountToken !== 'string' || serviceAccountToken === '') {
      throw badReply('a TokenRequest without a token');
    }
    return new Secret(serviceAccountToken);
  };

  return {
    getConfigMap,
    createConfigMap,
    patchConfigMap,
    reviewAccess,
    whoAmI,
    serverTime,
    requestServiceAccountToken,
  };
}

function describeConfigMap(verb: string, { namespace, name }: ConfigMapId): CallDescription {
  // `resourceNames` has no effect on `create`: the name is not known yet when RBAC decides.
  const which = verb === 'create' ? '' : ` (name \`${name}\`)`;
  const rule = `\`${verb}\` on \`configmaps\`${which} in namespace \`${namespace}\``;
  return {
    request: `${verb.toUpperCase()} ConfigMap ${namespace}/${name}`,
    rule,
    fixes: {
      403: `grant ${rule} with a Role`,
      404: `is there a namespace ${namespace}? name Kerbridge's own`,
      422: 'the ConfigMap is immutable, or would be larger than 1 MiB',
    },
  };
}

async function orUndefined<T>(
  answer: Promise<T>,
  status: number,
  reason: string,
  name: string,
): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    const reply = replyOf(error);
    if (reply.status === status && isStatusAbout(reply.body, { reason, kind: 'configmaps', name })) {
      return undefined;
    }
    throw error;
  }
}

function readConfigMap(configMap: unknown, { namespace, name }: ConfigMapId): FoundConfigMap {
  const metadata = fieldOf(configMap, 'metadata');
  const resourceVersion = fieldOf(metadata, 'resourceVersion');
  const data = Object.entries(fieldOf(configMap, 'data') ?? {});
  if (fieldOf(metadata, 'namespace') !== namespace || fieldOf(metadata, 'name') !== name) {
    throw badReply('another object than the ConfigMap that was asked for');
  }
  if (typeof resourceVersion !== 'string' || resourceVersion === '') {
    throw badReply('a ConfigMap without a resourceVersion');
  }
  if (!data.every((entry): entry is [string, string] => typeof entry[1] === 'string')) {
    throw badReply('a ConfigMap with malformed data');
  }
  return {
    resourceVersion,
    data: Object.fromEntries(data),
    dataWrittenAt: dataWrittenAt(fieldOf(metadata, 'managedFields')),
  };
}

/** The latest of all who own a part of `data`: each has the time when it last changed a value. */
function dataWrittenAt(managedFields: unknown): number | undefined {
  const entries: readonly unknown[] = Array.isArray(managedFields) ? managedFields : [];
  const times = entries
    .filter((entry) => fieldOf(fieldOf(entry, 'fieldsV1'), 'f:data') !== undefined)
    .map((entry) => toEpochMs(fieldOf(entry, 'time')));
  // An owner without a time may be the last one.
  const known = times.filter((time) => time !== undefined);
  return known.length === 0 || known.length < times.length ? undefined : Math.max(...known);
}

/** Of a SubjectAccessReview of any kind. */
export function readAccessReview(review: unknown): Awaited<ReturnType<ReviewAccess>> {
  const status = fieldOf(review, 'status');
  const allowed = fieldOf(status, 'allowed');
  const denied = fieldOf(status, 'denied') ?? false;
  const reason = fieldOf(status, 'reason') ?? '';
  const evaluationError = fieldOf(status, 'evaluationError') ?? '';
  if (typeof allowed !== 'boolean' || typeof denied !== 'boolean' || typeof reason !== 'string') {
    throw badReply('a SubjectAccessReview without a decision');
  }
  // "Denied may not be true if Allowed is true" (authorization.k8s.io/v1).
  if (allowed && denied) throw badReply('a SubjectAccessReview that says both yes and no');
  // As the API server takes it itself (WithAuthorization): an error beside a yes is a yes, else nobody has decided.
  if (!allowed && evaluationError !== '') {
    throw badReply('a SubjectAccessReview that could not be decided');
  }
  return allowed ? { allowed } : { allowed, reason: reason.slice(0, MAX_REASON_LENGTH) };
}

const MAX_REASON_LENGTH = 300;

function badReply(what: string): KubernetesApiError {
  return new KubernetesApiError('bad-reply', `the Kubernetes API sent ${what}`);
}
