import { z } from 'zod';
import { delegationTokensSchema } from './delegation-tokens-schema.ts';
import { parseDuration } from './duration.ts';
import { isAddressRange, isListenable, isLoopback } from './listen-address.ts';
import { address, admin, duration, name, objectName, path, port, text, userNaming } from './schema-parts.ts';

/**
 * What the configuration file of `kerbridge serve` may hold, as it is written there. `serve-config.ts` turns it into
 * what the program uses. docs/configuration.md describes every key; a test compares the two.
 */

/** Of the whole server: that of SERVER_LIMITS in src/http-api/limits.ts, which a test compares. */
export const MAX_REQUESTS = 6_000;
/** Some 2 KB of memory each, and some 300 bytes of a NameNode's. */
const MAX_TOKENS = 1_000_000;
const MAX_TOKEN_LIFETIME_MS = 86_400_000;

/** `10.0.0.0/8`, `fd00::/8`, or a single address. */
const addressRange = z
  .string()
  .refine(isAddressRange, {
    error:
      'must be an IP address or a range in CIDR notation, for example 10.0.0.0/8 or fd00::/8; IPv4 in dotted form',
  })
  .refine((range) => !isAddressRange(range) || !range.endsWith('/0'), {
    error: 'is everybody, so every pod could name the address of another one: name your proxies',
  });

const listen = z
  .strictObject({
    address: address.default('127.0.0.1'),
    port: port.default(8080),
    allowPlainHttp: z.boolean().default(false),
    tls: z.strictObject({ certFile: path, keyFile: path }).optional(),
    trustedProxies: z.array(addressRange).default([]),
  })
  .refine(
    ({ address: on, allowPlainHttp, tls }) =>
      tls !== undefined || allowPlainHttp || !isListenable(on) || isLoopback(on),
    {
      path: ['address'],
      error:
        'is not a loopback address, and credentials would cross the network in plain HTTP: ' +
        'set listen.tls, listen on 127.0.0.1, or set listen.allowPlainHttp: true if something in front of this port does TLS',
    },
  )
  .refine(({ allowPlainHttp, tls }) => tls === undefined || !allowPlainHttp, {
    path: ['allowPlainHttp'],
    error: 'has no meaning with listen.tls: remove one of the two',
  });

export const clusterSchema = z.strictObject({
  name: name.default('default'),
  hadoopConf: path,
  keytab: path,
  principal: text.optional(),
  krb5Conf: path.optional(),
  renewer: text.optional(),
  allowPlainHttp: z.boolean().default(false),
  nameservices: z.array(text).min(1, { error: 'must not be empty; leave the key out for all' }).optional(),
  tlsCaFile: path.optional(),
  services: z.record(text, z.array(text).min(1, { error: 'needs at least one service label' })).optional(),
});

export const serveConfigSchema = z.strictObject({
  listen: listen.prefault({}),
  admin: admin.prefault({}),
  kubernetes: z
    .strictObject({
      kubeconfig: path.optional(),
      context: text.optional(),
      audience: text.default('kerbridge'),
      adminAudience: text.default('kerbridge-admin'),
      issuers: z.array(text).default([]),
      maxTokenLifetime: duration
        .refine((written) => (parseDuration(written) ?? 0) <= MAX_TOKEN_LIFETIME_MS, {
          error: 'must be at most 24h: whoever copies a token can use it for that long',
        })
        .default('1h'),
      podSelector: text.optional(),
      checkSourceAddress: z.boolean().default(true),
    })
    .prefault({}),
  identity: z
    .strictObject({
      ...userNaming,
      requireSignature: z.boolean().default(true),
      stampKeysFile: path.optional(),
      revocationsFile: path.optional(),
      revocationsConfigMap: z
        .strictObject({ namespace: name.optional(), name: objectName.default('kerbridge-revocations') })
        .prefault({}),
    })
    .prefault({}),
  audit: z.strictObject({ file: path.optional() }).prefault({}),
  clusters: z
    .array(clusterSchema, { error: 'name at least one cluster, or use --hadoop-conf and --keytab' })
    .min(1, { error: 'name at least one cluster, or use --hadoop-conf and --keytab' }),
  delegationTokens: delegationTokensSchema.prefault({}),
  limits: z
    .strictObject({
      hadoopCallTimeout: duration.default('20s'),
      kerberosStepTimeout: duration.default('40s'),
      kubernetesCallTimeout: duration.default('10s'),
      requestsPerNamespace: z.int().min(1).max(MAX_REQUESTS).default(1_000),
      tokensPerNamespace: z.int().min(1).max(MAX_TOKENS).default(1_000),
      tokens: z.int().min(1).max(MAX_TOKENS).default(200_000),
    })
    .prefault({}),
  log: z.strictObject({ level: z.enum(['debug', 'info', 'warn', 'error']).default('info') }).prefault({}),
  shutdownDrainPeriod: duration.default('5s'),
  shutdownGracePeriod: duration.default('20s'),
});

/** The file after defaults, before anything is looked up: durations are still texts. */
export type RawServeConfig = z.output<typeof serveConfigSchema>;
