import { z } from 'zod';

/** Further resources with pod templates, as they are written in the configuration. Their paths are parsed by admission. */

const pointer = z
  .string()
  .regex(/^(?:\/(?:[^/~]|~[01])+){1,32}$/, {
    error:
      'must be a JSON pointer such as /spec/template/spec: at most 32 keys, "/" in a key written as ~1 and "~" as ~0, and * for all members of a map or list',
  })
  .max(2_000, { error: 'must not be longer than 2000 characters' });

const NAME = '[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?';
/** The plural, and the group if there is one. */
const resource = z.string().regex(new RegExp(`^(?=.{1,253}$)${NAME}(?:\\.${NAME})*$`), {
  error:
    'must be the plural of a resource and its group, for example tfjobs.kubeflow.org (kubectl api-resources)',
});

export const templateResourcesSchema = z
  .array(
    z.strictObject({
      resource,
      places: z
        .array(
          z.strictObject({
            annotations: pointer,
            content: pointer,
            requires: pointer.optional(),
            without: z.array(pointer).max(50, { error: 'must not have more than 50 paths' }).optional(),
          }),
        )
        .min(1, { error: 'must not be empty: name a place' })
        .max(20, { error: 'must not have more than 20 places' }),
    }),
  )
  .max(200, { error: 'must not have more than 200 resources' });
