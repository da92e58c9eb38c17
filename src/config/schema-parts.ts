import { z } from 'zod';
import { parseDuration } from './duration.ts';

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
