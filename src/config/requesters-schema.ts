import { z } from 'zod';
import { namespaceGlobs, userEntry, userName } from './identity-rules-schema.ts';

/** What a requesters file may hold, as it is written there. docs/requesters.md describes it. */

const MAX_NAME_LENGTH = 1_024;
const SERVICE_ACCOUNT = /^system:serviceaccount:[a-z0-9-]{1,63}:[a-z0-9.-]{1,253}$/;
/** The namespace must be written out: who may create namespaces could otherwise choose. */
const SERVICE_ACCOUNT_GLOB = /^system:serviceaccount:[a-z0-9-]{1,63}:[a-z0-9.*-]{1,253}$/;
const CAPTURE = /\$([1-9])/g;
/** The characters of a user name, `$1` to `$9`, a `$` at the end; no digit after a capture, which would be read as part of it. */
const USER_TEMPLATE = /^(?:[A-Za-z_]|\$[1-9](?![0-9]))(?:[A-Za-z0-9._-]|\$[1-9](?![0-9]))*[$]?$/;

const exactName = z
  .string()
  .min(1, { error: 'must not be empty; remove it' })
  .max(MAX_NAME_LENGTH, { error: `is longer than ${MAX_NAME_LENGTH} characters` })
  .refine((text) => !text.includes('*'), {
    error: 'must be one exact user name, without *: whoever may choose a name that fits could be it',
  });

/** Of users and groups as the API server knows them: almost any characters. */
const nameGlob = z
  .string()
  .min(1, { error: 'must not be empty; remove it' })
  .max(MAX_NAME_LENGTH, { error: `is longer than ${MAX_NAME_LENGTH} characters` })
  .refine((text) => !text.includes('**'), { error: 'has two stars in a row: write one' });

const ruleUsername = nameGlob.refine(
  (text) => !text.startsWith('system:') || SERVICE_ACCOUNT_GLOB.test(text),
  {
    error:
      'never maps: of system: only service accounts can be named, as system:serviceaccount:<namespace>:<name> with * in the name at most',
  },
);

const someNames = { error: 'must not be empty: name somebody, or leave the key out for all' };

const userTemplate = z.string().regex(USER_TEMPLATE, {
  error:
    'is no user name: write A-Z, a-z, 0-9, ".", "_" and "-", with $1 to $9 for the stars of usernames (no digit right after)',
});

export const EXEMPT_FROM = ['connect', 'images', 'ephemeral-containers', 'keep-identity'] as const;

const rule = z
  .strictObject({
    usernames: z.array(ruleUsername).min(1, someNames).optional(),
    groups: z.array(nameGlob).min(1, someNames).optional(),
    namespaces: namespaceGlobs.optional(),
    user: userTemplate.optional(),
    lowerCase: z.boolean().default(false),
    refuse: z.literal(true, { error: 'write true, or leave it out' }).optional(),
  })
  .refine(({ usernames, groups }) => usernames !== undefined || groups !== undefined, {
    error: "is about nobody: name usernames (['*'] for all), groups or both",
  })
  .refine(({ user, refuse }) => (user === undefined) !== (refuse === undefined), {
    error: 'must say either user or refuse: true',
  })
  .refine(({ lowerCase, user }) => !lowerCase || user !== undefined, {
    path: ['lowerCase'],
    error: 'has a meaning only with user; remove it',
  })
  .superRefine(({ usernames = [], user = '' }, context) => {
    const captures = [...user.matchAll(CAPTURE)].map(([, digit]) => Number(digit));
    const highest = Math.max(0, ...captures);
    if (highest > 0 && usernames.length === 0) {
      context.addIssue({
        code: 'custom',
        path: ['user'],
        message: `has $${highest}, and there are no usernames`,
      });
    }
    usernames.forEach((username, index) => {
      const path = ['usernames', index];
      if (username.split('*').length - 1 < highest) {
        context.addIssue({
          code: 'custom',
          path,
          message: `has fewer stars than user needs for $${highest}`,
        });
      }
      if (highest > 0 && username.startsWith('system:')) {
        const message =
          'whoever may create service accounts there would choose the user: name the user without $1 to $9';
        context.addIssue({ code: 'custom', path, message });
      }
    });
  });

const delegate = z.strictObject({
  account: exactName,
  users: z.array(userEntry).min(1, { error: 'must not be empty: name a user or a group' }),
  namespaces: namespaceGlobs,
  withoutUser: z.enum(['refuse', 'as-others']).default('refuse'),
});

const exempt = z
  .strictObject({
    usernames: z.array(nameGlob).min(1, someNames).optional(),
    groups: z.array(nameGlob).min(1, someNames).optional(),
    namespaces: namespaceGlobs.optional(),
    from: z.array(z.enum(EXEMPT_FROM)).min(1, { error: 'must not be empty: say from what' }),
  })
  .refine(({ usernames, groups }) => usernames !== undefined || groups !== undefined, {
    error: 'is about nobody: name usernames, groups or both',
  });

const trustedController = exactName.refine(
  (text) => text.includes('*') || !text.startsWith('system:serviceaccount:') || SERVICE_ACCOUNT.test(text),
  { error: 'is no service account: write system:serviceaccount:<namespace>:<name>' },
);

export const requestersSchema = z.strictObject({
  version: z.literal(1, { error: 'write version: 1' }),
  groups: z.record(z.string(), z.array(userName)).default({}),
  trustedControllers: z.array(trustedController).default([]),
  delegates: z.array(delegate).default([]),
  rules: z.array(rule).default([]),
  otherRequesters: z.enum(['themselves', 'none']).default('themselves'),
  exempt: z.array(exempt).default([]),
});
