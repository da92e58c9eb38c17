import { z } from 'zod';

/** What a rules file may hold, as it is written there. docs/identity-rules.md describes it. */

export const GROUP_PREFIX = 'group:';
/** Starts with no underscore, so that nobody comes upon `__proto__`. */
export const GROUP_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,254}$/;
const USER_NAME = /^[A-Za-z_][A-Za-z0-9._-]{0,254}[$]?$/;
/** What can be found in a user name, and stars; a `$` only at the end. */
const USER_GLOB = /^[A-Za-z_*][A-Za-z0-9._*-]{0,254}[$]?[*]*$/;
const NAMESPACE_GLOB = /^[a-z0-9*][a-z0-9*-]{0,62}$/;

const isUserGlob = (entry: string): boolean => USER_GLOB.test(entry) && !entry.includes('.*');

const isUserEntry = (entry: string): boolean =>
  entry.startsWith(GROUP_PREFIX) ? GROUP_NAME.test(entry.slice(GROUP_PREFIX.length)) : isUserGlob(entry);

export const userName = z.string().regex(USER_NAME, {
  error: 'can match nobody: write the short name of one user, without realm and stars',
});

const userGlob = z.string().refine(isUserGlob, {
  error:
    'can match nobody: write a short name without realm, with * for any characters; globs, not regular expressions',
});

export const userEntry = z.string().refine(isUserEntry, {
  error:
    'can match nobody: write a short name without realm, with * for any characters, or group:<name>; globs, not regular expressions',
});

const headlessUser = userEntry.refine((entry) => !/^[*]+$/.test(entry), {
  error: 'would let a pod be everybody: name the accounts that may be asked for',
});

export const namespaceGlobs = z
  .array(
    z.string().regex(NAMESPACE_GLOB, {
      error: 'can match no namespace: write a-z, 0-9 and "-", with * for any characters',
    }),
  )
  .min(1, { error: 'must not be empty: name a namespace' });

const someUsers = { error: 'must not be empty: name a user or a group' };

export const identityRulesSchema = z.strictObject({
  version: z.literal(1, { error: 'write version: 1' }),
  groups: z.record(z.string(), z.array(userName)).default({}),
  namespaces: z.array(z.strictObject({ namespaces: namespaceGlobs, users: z.array(userEntry) })).optional(),
  otherNamespaces: z.enum(['any', 'none']).optional(),
  doAs: z
    .array(
      z.strictObject({
        users: z.array(headlessUser).min(1, someUsers),
        by: z.array(userEntry).min(1, someUsers),
        namespaces: namespaceGlobs.optional(),
      }),
    )
    .default([]),
  denyUsers: z.array(userGlob).default([]),
});
