import type { z } from 'zod';
import type { ConfigProblem } from './config-problem.ts';
import { decorateConfigSchema, type RawDecorateConfig } from './decorate-config-schema.ts';
import { milliseconds } from './duration.ts';
import { explainIssue } from './explain-issue.ts';
import { type InjectionConfig, toInjection } from './injection-schema.ts';
import type { ListenAddress } from './listen-address.ts';
import { deepFreeze, valueAt } from './plain-data.ts';
import type { templateResourcesSchema } from './template-resources-schema.ts';

/** What `kerbridge decorate` runs with: checked, in units, frozen. Files that it names have not been opened yet. */
export interface DecorateConfig {
  readonly listen: ListenAddress;
  readonly admin: ListenAddress;
  readonly tls: DecorateTls & {
    /** Who may ask: the API server, by its client certificate. undefined: whoever reaches the port. */
    readonly clients: { readonly caFile: string; readonly names: readonly string[] } | undefined;
  };
  readonly kubernetes: {
    /** undefined: the service account of the pod this runs in. */
    readonly kubeconfig: string | undefined;
    /** undefined: the current context of `kubeconfig`. */
    readonly context: string | undefined;
  };
  /** The label of namespaces that take part. */
  readonly optIn: { readonly label: string; readonly value: string };
  readonly identity: {
    /** Key of the annotation that names the user. */
    readonly annotation: string;
    /** Source of a regular expression for the whole name. */
    readonly userPattern: string;
    /** On top of the built-in list. */
    readonly denyUsers: readonly string[];
    /** YAML, read again when it changes; the same as that of `serve`. */
    readonly rulesFile: string | undefined;
  };
  /** YAML, read again when it changes. undefined: plain user names are themselves, and nothing more. */
  readonly requestersFile: string | undefined;
  readonly signing: SigningKeys;
  readonly templates: {
    /** On top of those that are known. */
    readonly customResources: readonly TemplateResource[];
    readonly kube2hadoopPathsFile: string | undefined;
  };
  /** Whether what others do to a stamped pod is refused. */
  readonly guard: {
    /** exec, attach, portforward, proxy. */
    readonly connect: boolean;
    readonly images: boolean;
    readonly ephemeralContainers: boolean;
  };
  /** undefined: a pod that asks for it is refused. */
  readonly injection: InjectionConfig | undefined;
  /** undefined: standard error. */
  readonly audit: { readonly file: string | undefined };
  /** What would be refused or changed is only told. */
  readonly auditOnly: boolean;
  readonly limits: {
    readonly kubernetesCallTimeoutMs: number;
    /** Under way at once. */
    readonly reviews: number;
  };
  readonly logLevel: RawDecorateConfig['log']['level'];
  readonly shutdownDrainPeriodMs: number;
  readonly shutdownGracePeriodMs: number;
}

export type DecorateTls =
  /** PEM, read again when they change. */
  | { readonly mode: 'files'; readonly certFile: string; readonly keyFile: string }
  | {
      readonly mode: 'own-ca';
      readonly secret: SecretName;
      /** Of the certificate: those of the Service. */
      readonly dnsNames: readonly string[];
      /** Whose `caBundle` is written. */
      readonly mutatingWebhookConfiguration: string;
      readonly validatingWebhookConfiguration: string;
    };

export type SigningKeys =
  | { readonly from: 'file'; readonly keysFile: string }
  | { readonly from: 'secret'; readonly secret: SecretName };

export interface SecretName {
  /** undefined: our own. */
  readonly namespace: string | undefined;
  readonly name: string;
}

/** Where a resource has its templates: JSON pointers with `*` for every entry; whoever uses them checks more of their grammar. */
export type TemplateResource = z.output<typeof templateResourcesSchema>[number];

export type DecorateConfigResult =
  | { readonly ok: true; readonly config: DecorateConfig }
  | { readonly ok: false; readonly problems: readonly ConfigProblem[] };

/** Finds every problem of `input` that can be seen without opening a file. */
export function parseDecorateConfig(input: unknown): DecorateConfigResult {
  const parsed = decorateConfigSchema.safeParse(input);
  const problems = [
    ...(parsed.success ? [] : parsed.error.issues.flatMap(explainIssue)),
    ...crossCheck(input),
  ];
  if (!parsed.success || problems.length > 0) return { ok: false, problems };
  return { ok: true, config: deepFreeze(toDecorateConfig(parsed.data)) };
}

function toDecorateConfig(raw: RawDecorateConfig): DecorateConfig {
  const { templates, limits, identity } = raw;
  return {
    listen: raw.listen,
    admin: raw.admin,
    tls: toTls(raw.tls),
    kubernetes: { kubeconfig: raw.kubernetes.kubeconfig, context: raw.kubernetes.context },
    optIn: raw.optIn,
    identity: { ...identity, rulesFile: identity.rulesFile },
    requestersFile: raw.requestersFile,
    signing: toSigning(raw.signing),
    templates: {
      customResources: templates.customResources,
      kube2hadoopPathsFile: templates.kube2hadoopPathsFile,
    },
    guard: raw.guard,
    injection: raw.injection === undefined ? undefined : toInjection(raw.injection),
    audit: { file: raw.audit.file },
    auditOnly: raw.auditOnly,
    limits: {
      kubernetesCallTimeoutMs: milliseconds(limits.kubernetesCallTimeout),
      reviews: limits.reviews,
    },
    logLevel: raw.log.level,
    shutdownDrainPeriodMs: milliseconds(raw.shutdownDrainPeriod),
    shutdownGracePeriodMs: milliseconds(raw.shutdownGracePeriod),
  };
}

function toTls({ files, ownCa, clients }: RawDecorateConfig['tls']): DecorateConfig['tls'] {
  if (files !== undefined) return { mode: 'files', ...files, clients };
  if (ownCa === undefined) throw new RangeError('neither files nor ownCa');
  return { mode: 'own-ca', ...ownCa, secret: toSecret(ownCa.secret), clients };
}

function toSigning({ keysFile, secret }: RawDecorateConfig['signing']): SigningKeys {
  if (keysFile !== undefined) return { from: 'file', keysFile };
  if (secret === undefined) throw new RangeError('neither keysFile nor secret');
  return { from: 'secret', secret: toSecret(secret) };
}

function toSecret({ namespace, name }: { namespace?: string | undefined; name: string }): SecretName {
  return { namespace, name };
}

/** What no single key can tell, as far as the sections it takes are right in themselves. */
function crossCheck(input: unknown): ConfigProblem[] {
  const { shape } = decorateConfigSchema;
  const listen = shape.listen.safeParse(valueAt(input, 'listen')).data;
  const admin = shape.admin.safeParse(valueAt(input, 'admin')).data;
  const kubernetes = shape.kubernetes.safeParse(valueAt(input, 'kubernetes')).data;
  const resources = shape.templates.safeParse(valueAt(input, 'templates')).data?.customResources ?? [];
  const problems: ConfigProblem[] = [];
  if (listen !== undefined && listen.port !== 0 && listen.port === admin?.port) {
    problems.push({ path: 'admin.port', message: 'is the same as listen.port; give it one of its own' });
  }
  if (kubernetes?.context !== undefined && kubernetes.kubeconfig === undefined) {
    problems.push({
      path: 'kubernetes.context',
      message: 'has a meaning only with kubernetes.kubeconfig; name that file, or leave the context out',
    });
  }
  resources.forEach(({ resource }, index) => {
    const first = resources.findIndex((other) => other.resource === resource);
    if (first !== index) {
      problems.push({
        path: `templates.customResources[${index}].resource`,
        message: `is that of templates.customResources[${first}] too; put its places there`,
      });
    }
  });
  return problems;
}
