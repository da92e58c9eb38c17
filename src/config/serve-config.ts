import type { ConfigProblem } from './config-problem.ts';
import { type DelegationTokensConfig, toDelegationTokens } from './delegation-tokens-schema.ts';
import { milliseconds } from './duration.ts';
import { explainIssue } from './explain-issue.ts';
import type { ListenAddress } from './listen-address.ts';
import { deepFreeze, valueAt } from './plain-data.ts';
import { clusterSchema, type RawServeConfig, serveConfigSchema } from './serve-config-schema.ts';

/** What `kerbridge serve` runs with: checked, in units, frozen. Files that it names have not been opened yet. */
export interface ServeConfig {
  readonly listen: ListenAddress & {
    /** undefined: plain HTTP. PEM files, read again when they change. */
    readonly tls: { readonly certFile: string; readonly keyFile: string } | undefined;
    /** IP addresses and CIDR ranges whose `X-Forwarded-For` is believed. */
    readonly trustedProxies: readonly string[];
  };
  readonly admin: ListenAddress;
  readonly kubernetes: {
    /** undefined: the current context of `kubeconfig`. */
    readonly context: string | undefined;
    /** undefined: the service account of the pod this runs in. */
    readonly kubeconfig: string | undefined;
    readonly audience: string;
    /** The audience of operators' tokens, for `kerbridge tokens`. */
    readonly adminAudience: string;
    /** `iss` of tokens that are accepted besides the issuer that the API server names. */
    readonly issuers: readonly string[];
    readonly maxTokenLifetimeMs: number;
    /** Label selector of the pods to keep in memory; undefined: all. Others are looked up one by one. */
    readonly podSelector: string | undefined;
    readonly checkSourceAddress: boolean;
  };
  readonly identity: {
    readonly annotation: string;
    /** Source of a regular expression for the whole name. */
    readonly userPattern: string;
    /** On top of the built-in list. */
    readonly denyUsers: readonly string[];
    /** A pod without a signed stamp speaks for nobody. */
    readonly requireSignature: boolean;
    /** JWKS, read again when it changes; undefined: no stamp can be verified. */
    readonly stampKeysFile: string | undefined;
    /** Both are YAML, read again when they change. */
    readonly rulesFile: string | undefined;
    readonly revocationsFile: string | undefined;
    /** namespace undefined: our own, or `kerbridge` outside a pod. */
    readonly revocationsConfigMap: { readonly namespace: string | undefined; readonly name: string };
  };
  /** undefined: standard error. */
  readonly audit: { readonly file: string | undefined };
  /** At least one; the first is the default. */
  readonly clusters: readonly [ClusterConfig, ...ClusterConfig[]];
  readonly delegationTokens: DelegationTokensConfig;
  readonly limits: {
    readonly hadoopCallTimeoutMs: number;
    readonly kerberosStepTimeoutMs: number;
    readonly kubernetesCallTimeoutMs: number;
    readonly requestsPerNamespace: number;
    /** Live delegation tokens, of all generations. */
    readonly tokensPerNamespace: number;
    readonly tokens: number;
  };
  readonly logLevel: RawServeConfig['log']['level'];
  readonly shutdownDrainPeriodMs: number;
  readonly shutdownGracePeriodMs: number;
}

export interface ClusterConfig {
  readonly name: string;
  readonly hadoopConf: string;
  readonly keytab: string;
  /** undefined: the keytab's first. */
  readonly principal: string | undefined;
  readonly krb5Conf: string | undefined;
  /** undefined: the principal's short name. */
  readonly renewer: string | undefined;
  readonly allowPlainHttp: boolean;
  /** undefined: all of the conf dir. */
  readonly nameservices: readonly string[] | undefined;
  readonly tlsCaFile: string | undefined;
  /** Service labels by nameservice, in place of the derived ones. */
  readonly services: Readonly<Record<string, readonly string[]>>;
}

/** Sections that a diagnosis can look at by themselves. */
export type ServeConfigSections = Partial<
  Pick<ServeConfig, 'listen' | 'admin' | 'kubernetes' | 'identity' | 'audit' | 'delegationTokens' | 'limits'>
>;

export type ServeConfigResult =
  | { readonly ok: true; readonly config: ServeConfig }
  | {
      readonly ok: false;
      readonly problems: readonly ConfigProblem[];
      /** The clusters that are right in themselves, so that their files can be looked at all the same. */
      readonly clusters: readonly { readonly index: number; readonly cluster: ClusterConfig }[];
      /** The sections that are. */
      readonly sections: ServeConfigSections;
    };

/** Finds every problem of `input` that can be seen without opening a file. */
export function parseServeConfig(input: unknown): ServeConfigResult {
  const parsed = serveConfigSchema.safeParse(input);
  const problems = [
    ...(parsed.success ? [] : parsed.error.issues.flatMap(explainIssue)),
    ...crossCheck(input),
  ];
  if (parsed.success && problems.length === 0) {
    return { ok: true, config: deepFreeze(toServeConfig(parsed.data)) };
  }
  const clusters = valueAt(input, 'clusters');
  return {
    ok: false,
    problems,
    clusters: (Array.isArray(clusters) ? clusters : []).flatMap((raw: unknown, index) => {
      const cluster = clusterSchema.safeParse(raw);
      return cluster.success ? [{ index, cluster: toClusterConfig(cluster.data) }] : [];
    }),
    sections: deepFreeze(goodSections(input)),
  };
}

function goodSections(input: unknown): ServeConfigSections {
  const { shape } = serveConfigSchema;
  const listen = shape.listen.safeParse(valueAt(input, 'listen')).data;
  const admin = shape.admin.safeParse(valueAt(input, 'admin')).data;
  const kubernetes = shape.kubernetes.safeParse(valueAt(input, 'kubernetes')).data;
  const identity = shape.identity.safeParse(valueAt(input, 'identity')).data;
  const audit = shape.audit.safeParse(valueAt(input, 'audit')).data;
  const delegationTokens = shape.delegationTokens.safeParse(valueAt(input, 'delegationTokens')).data;
  const limits = shape.limits.safeParse(valueAt(input, 'limits')).data;
  return {
    ...(listen === undefined ? {} : { listen: toListen(listen) }),
    ...(admin === undefined ? {} : { admin }),
    ...(kubernetes === undefined ? {} : { kubernetes: toKubernetes(kubernetes) }),
    ...(identity === undefined ? {} : { identity: toIdentity(identity) }),
    ...(audit === undefined ? {} : { audit: { file: audit.file } }),
    ...(delegationTokens === undefined ? {} : { delegationTokens: toDelegationTokens(delegationTokens) }),
    ...(limits === undefined ? {} : { limits: toLimits(limits) }),
  };
}

function toServeConfig(raw: RawServeConfig): ServeConfig {
  const [first, ...rest] = raw.clusters.map(toClusterConfig);
  if (first === undefined) throw new RangeError('no cluster');
  return {
    listen: toListen(raw.listen),
    admin: raw.admin,
    kubernetes: toKubernetes(raw.kubernetes),
    identity: toIdentity(raw.identity),
    audit: { file: raw.audit.file },
    delegationTokens: toDelegationTokens(raw.delegationTokens),
    clusters: [first, ...rest],
    limits: toLimits(raw.limits),
    logLevel: raw.log.level,
    shutdownDrainPeriodMs: milliseconds(raw.shutdownDrainPeriod),
    shutdownGracePeriodMs: milliseconds(raw.shutdownGracePeriod),
  };
}

function toListen({ address, port, tls, trustedProxies }: RawServeConfig['listen']): ServeConfig['listen'] {
  return { address, port, tls, trustedProxies };
}

function toKubernetes(raw: RawServeConfig['kubernetes']): ServeConfig['kubernetes'] {
  return {
    context: raw.context,
    kubeconfig: raw.kubeconfig,
    audience: raw.audience,
    adminAudience: raw.adminAudience,
    issuers: raw.issuers,
    maxTokenLifetimeMs: milliseconds(raw.maxTokenLifetime),
    podSelector: raw.podSelector,
    checkSourceAddress: raw.checkSourceAddress,
  };
}

function toIdentity(raw: RawServeConfig['identity']): ServeConfig['identity'] {
  return {
    annotation: raw.annotation,
    userPattern: raw.userPattern,
    denyUsers: raw.denyUsers,
    requireSignature: raw.requireSignature,
    stampKeysFile: raw.stampKeysFile,
    rulesFile: raw.rulesFile,
    revocationsFile: raw.revocationsFile,
    revocationsConfigMap: {
      namespace: raw.revocationsConfigMap.namespace,
      name: raw.revocationsConfigMap.name,
    },
  };
}

function toLimits(raw: RawServeConfig['limits']): ServeConfig['limits'] {
  return {
    hadoopCallTimeoutMs: milliseconds(raw.hadoopCallTimeout),
    kerberosStepTimeoutMs: milliseconds(raw.kerberosStepTimeout),
    kubernetesCallTimeoutMs: milliseconds(raw.kubernetesCallTimeout),
    requestsPerNamespace: raw.requestsPerNamespace,
    tokensPerNamespace: raw.tokensPerNamespace,
    tokens: raw.tokens,
  };
}

function toClusterConfig(raw: RawServeConfig['clusters'][number]): ClusterConfig {
  return {
    name: raw.name,
    hadoopConf: raw.hadoopConf,
    keytab: raw.keytab,
    principal: raw.principal,
    krb5Conf: raw.krb5Conf,
    renewer: raw.renewer,
    allowPlainHttp: raw.allowPlainHttp,
    nameservices: raw.nameservices,
    tlsCaFile: raw.tlsCaFile,
    services: raw.services ?? {},
  };
}

/** What no single key can tell, as far as the sections it takes are right in themselves. */
function crossCheck(input: unknown): ConfigProblem[] {
  const { shape } = serveConfigSchema;
  const listen = shape.listen.safeParse(valueAt(input, 'listen')).data;
  const admin = shape.admin.safeParse(valueAt(input, 'admin')).data;
  const kubernetes = shape.kubernetes.safeParse(valueAt(input, 'kubernetes')).data;
  const clusters = valueAt(input, 'clusters');
  const problems: ConfigProblem[] = [];
  const names = (Array.isArray(clusters) ? clusters : []).map(
    (cluster) => clusterSchema.shape.name.safeParse(valueAt(cluster, 'name')).data,
  );
  names.forEach((name, index) => {
    const first = names.indexOf(name);
    if (name !== undefined && first !== index) {
      problems.push({
        path: `clusters[${index}].name`,
        message: `"${name}" is the name of clusters[${first}] too`,
      });
    }
  });
  if (listen !== undefined && listen.port !== 0 && listen.port === admin?.port) {
    problems.push({ path: 'admin.port', message: 'is the same as listen.port; give it one of its own' });
  }
  if (kubernetes !== undefined && kubernetes.audience === kubernetes.adminAudience) {
    problems.push({
      path: 'kubernetes.adminAudience',
      message: 'is the same as kubernetes.audience: a token out of any pod would do for an operator',
    });
  }
  if (kubernetes?.context !== undefined && kubernetes.kubeconfig === undefined) {
    problems.push({
      path: 'kubernetes.context',
      message: 'has a meaning only with kubernetes.kubeconfig; name that file, or leave the context out',
    });
  }
  return problems;
}
