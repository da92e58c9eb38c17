import { isAbsolute } from 'node:path';
import { z } from 'zod';
import { parseDuration } from './duration.ts';
import { isListenable, isUnspecified, MAX_PORT } from './listen-address.ts';

/* What several sections of the configuration file are made of. */

export const duration = z
  .string({ error: 'write a duration with its unit, for example "20s", "5m" or "10h"' })
  .refine((text) => parseDuration(text) !== undefined, {
    error:
      'write a duration as a whole number above zero and a unit (ms, s, m, h, d), at most 24 days: "20s", "5m", "10h"',
  });

/** RFC 1123 label: of a namespace, for example. */
export const name = z.string().regex(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/, {
  error: 'must be 1 to 63 of a-z, 0-9 and "-", and start and end with a letter or digit',
});

/** RFC 1123 subdomain, as the API server demands of most names. */
export const objectName = z
  .string()
  .regex(/^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/, {
    error: 'must be a name of Kubernetes: a-z, 0-9, "-" and "."',
  });

/** `*` stands for any number of characters, nothing else is special. */
export const namespaceGlob = z.string().regex(/^[a-z0-9*](?:[a-z0-9*-]{0,62})$/, {
  error: 'must be the name of a namespace, with * for any characters',
});

export const userGlob = z.string().regex(/^[A-Za-z0-9._*$-]{1,256}$/, {
  error: 'must be a short user name, with * for any characters',
});

export const path = z
  .string()
  .min(1, { error: 'must not be empty; leave the key out instead' })
  .refine((text) => text === '' || isAbsolute(text), { error: 'must be an absolute path' });

export const text = z.string().min(1, { error: 'must not be empty; leave the key out instead' });

export const userName = z
  .string()
  .refine((entry) => entry.trim() !== '', { error: 'must not be empty; remove it' });

export const address = z.string().refine(isListenable, { error: 'must be an IP address or localhost' });
export const port = z.int().min(0).max(MAX_PORT);

export const regularExpression = text.refine(
  (source) => {
    try {
      return new RegExp(source, 'u') instanceof RegExp;
    } catch {
      return false;
    }
  },
  { error: 'is not a regular expression of JavaScript (flag u)' },
);

export const admin = z.strictObject({
  address: address
    .refine((on) => !isUnspecified(on), {
      error:
        'is every address of this machine, and this port has no TLS and asks nobody who they are: ' +
        'write 127.0.0.1, or the IP address of this pod (--admin-listen "$(POD_IP):8081")',
    })
    .default('127.0.0.1'),
  port: port.default(8081),
});

/** Of `identity`: what `serve` and `decorate` must have alike, or the one refuses what the other has stamped. */
export const userNaming = {
  annotation: text.default('iddecorator.username'),
  userPattern: regularExpression.default('[A-Za-z_][A-Za-z0-9._-]*[$]?'),
  denyUsers: z.array(userName).default([]),
  rulesFile: path.optional(),
};
