import { isAbsolute } from 'node:path';
import { z } from 'zod';
import { parseDuration } from './duration.ts';
import { isListenable, isLoopback, MAX_PORT } from './listen-address.ts';

/**
 * What the configuration file of `kerbridge serve` may hold, as it is written there. `serve-config.ts` turns it into
 * what the program uses. docs/configuration.md describes every key; a test compares the two.
 */

const duration = z
  .string({ error: 'write a duration with its unit, for example "20s", "5m" or "10h"' })
  .refine((text) => parseDuration(text) !== undefined, {
    error:
      'write a duration as a whole number above zero and a unit (ms, s, m, h, d), at most 24 days: "20s", "5m", "10h"',
  });

const path = z
  .string()
  .min(1, { error: 'must not be empty; leave the key out instead' })
  .refine((text) => text === '' || isAbsolute(text), { error: 'must be an absolute path' });

const name = z.string().regex(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/, {
  error: 'must be 1 to 63 of a-z, 0-9 and "-", and start and end with a letter or digit',
});

const text = z.string().min(1, { error: 'must not be empty; leave the key out instead' });

const userName = z.string().refine((entry) => entry.trim() !== '', { error: 'must not be empty; remove it' });

const address = z.string().refine(isListenable, { error: 'must be an IP address or localhost' });
const port = z.int().min(0).max(MAX_PORT);

const regularExpression = text.refine(
  (source) => {
    try {
      return new RegExp(source, 'u') instanceof RegExp;
    } catch {
      return false;
    }
  },
  { error: 'is not a regular expression of JavaScript (flag u)' },
);

const listen = z
  .strictObject({
    address: address.default('127.0.0.1'),
    port: port.default(8080),
    allowPlainHttp: z.boolean().default(false),
  })
  .refine(({ address: on, allowPlainHttp }) => allowPlainHttp || !isListenable(on) || isLoopback(on), {
    path: ['address'],
    error:
      'is not a loopback address, and credentials would cross the network in plain HTTP: ' +
      'listen on 127.0.0.1, or set listen.allowPlainHttp: true if something in front of this port does TLS',
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
  admin: z.strictObject({ address: address.default('127.0.0.1'), port: port.default(8081) }).prefault({}),
  kubernetes: z
    .strictObject({
      kubeconfig: path.optional(),
      context: text.optional(),
      audience: text.default('kerbridge'),
    })
    .prefault({}),
  identity: z
    .strictObject({
      annotation: text.default('iddecorator.username'),
      userPattern: regularExpression.default('[A-Za-z_][A-Za-z0-9._-]*[$]?'),
      denyUsers: z.array(userName).default([]),
    })
    .prefault({}),
  clusters: z
    .array(clusterSchema, { error: 'name at least one cluster, or use --hadoop-conf and --keytab' })
    .min(1, { error: 'name at least one cluster, or use --hadoop-conf and --keytab' }),
  limits: z
    .strictObject({
      hadoopCallTimeout: duration.default('20s'),
      kerberosStepTimeout: duration.default('40s'),
      kubernetesCallTimeout: duration.default('10s'),
    })
    .prefault({}),
  log: z.strictObject({ level: z.enum(['debug', 'info', 'warn', 'error']).default('info') }).prefault({}),
  shutdownDrainPeriod: duration.default('5s'),
  shutdownGracePeriod: duration.default('20s'),
});

/** The file after defaults, before anything is looked up: durations are still texts. */
export type RawServeConfig = z.output<typeof serveConfigSchema>;
