import { z } from 'zod';
import { injectionSchema } from './injection-schema.ts';
import { address, admin, duration, name, objectName, path, port, text, userNaming } from './schema-parts.ts';
import { templateResourcesSchema } from './template-resources-schema.ts';

/**
 * What the configuration file of `kerbridge decorate` may hold, as it is written there. `decorate-config.ts` turns it
 * into what the program uses. docs/decorate-configuration.md describes every key; a test compares the two.
 */

/** What the API server takes as key of a label or annotation. */
const QUALIFIED_NAME =
  /^(?:(?=[^/]{1,253}\/)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*\/)?[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/;
const LABEL_VALUE = /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/;
const MAX_REVIEWS = 10_000;
const OWN_PREFIX = 'kerbridge.dev/';

const qualifiedName = z.string().regex(QUALIFIED_NAME, {
  error:
    'must be a key as Kubernetes has them: <name>, or <domain>/<name>, with a name of 63 characters at most',
});

const foreignName = qualifiedName.refine((key) => !key.startsWith(OWN_PREFIX), {
  error: `must not begin with ${OWN_PREFIX}: stamps and marks of our own are kept there`,
});

const dnsName = objectName;

const secret = z.strictObject({ namespace: name.optional(), name: objectName });

const files = z.strictObject({ certFile: path, keyFile: path });
const ownCa = z.strictObject({
  secret: z
    .strictObject({ namespace: name.optional(), name: objectName.default('kerbridge-decorate-tls') })
    .prefault({}),
  dnsNames: z.array(dnsName).min(1, {
    error: 'must not be empty: name the Service as the API server calls it, <service>.<namespace>.svc',
  }),
  mutatingWebhookConfiguration: objectName.default('kerbridge-decorate'),
  validatingWebhookConfiguration: objectName.default('kerbridge-decorate'),
});

const tls = z
  .strictObject(
    {
      files: files.optional(),
      ownCa: ownCa.optional(),
      clients: z
        .strictObject({
          caFile: path,
          names: z.array(text).min(1, { error: 'must not be empty: name the certificate of the API server' }),
        })
        .optional(),
    },
    {
      error: (issue) =>
        issue.input === undefined ? 'is required: the API server calls webhooks by HTTPS only' : undefined,
    },
  )
  .refine((given) => (given.files === undefined) !== (given.ownCa === undefined), {
    error: 'must have either files (of cert-manager, for example) or ownCa',
  });

const signing = z
  .strictObject(
    { keysFile: path.optional(), secret: secret.optional() },
    {
      error: (issue) =>
        issue.input === undefined ? 'is required: name the keys that sign stamps' : undefined,
    },
  )
  .refine(({ keysFile, secret: named }) => (keysFile === undefined) !== (named === undefined), {
    error: 'must have either keysFile or secret',
  });

export const decorateConfigSchema = z.strictObject({
  listen: z.strictObject({ address: address.default('0.0.0.0'), port: port.default(8443) }).prefault({}),
  admin: admin.prefault({}),
  tls,
  kubernetes: z.strictObject({ kubeconfig: path.optional(), context: text.optional() }).prefault({}),
  optIn: z
    .strictObject({
      label: foreignName.default('iddecorator'),
      value: z
        .string()
        .regex(LABEL_VALUE, {
          error: 'must be the value of a label: 1 to 63 of A-Z, a-z, 0-9, ".", "_" and "-"',
        })
        .default('enabled'),
    })
    .prefault({}),
  identity: z
    .strictObject({ ...userNaming, annotation: foreignName.default('iddecorator.username') })
    .prefault({}),
  requestersFile: path.optional(),
  signing,
  templates: z
    .strictObject({
      customResources: templateResourcesSchema.default([]),
      kube2hadoopPathsFile: path.optional(),
    })
    .prefault({}),
  guard: z
    .strictObject({
      connect: z.boolean().default(true),
      images: z.boolean().default(true),
      ephemeralContainers: z.boolean().default(true),
    })
    .prefault({}),
  injection: injectionSchema.optional(),
  audit: z.strictObject({ file: path.optional() }).prefault({}),
  auditOnly: z.boolean().default(false),
  limits: z
    .strictObject({
      kubernetesCallTimeout: duration.default('3s'),
      reviews: z.int().min(1).max(MAX_REVIEWS).default(600),
    })
    .prefault({}),
  log: z.strictObject({ level: z.enum(['debug', 'info', 'warn', 'error']).default('info') }).prefault({}),
  shutdownDrainPeriod: duration.default('5s'),
  shutdownGracePeriod: duration.default('20s'),
});

/** The file after defaults, before anything is looked up: durations are still texts. */
export type RawDecorateConfig = z.output<typeof decorateConfigSchema>;
