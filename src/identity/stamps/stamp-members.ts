import { z } from 'zod';

/**
 * In UTF-16 units. Kubernetes bounds names of namespaces and objects, and kinds (63) and API groups (253) with the slash
 * between them. It does not bound names of users: those of service accounts have at most 338.
 */
export const MAX_LENGTH = {
  namespace: 63,
  uid: 128,
  name: 253,
  kind: 317,
  user: 256,
  requester: 512,
} as const;

/** Whole characters: half of a pair is written in more than one way. */
export const stampText = (maxLength: number) =>
  z
    .string()
    .min(1)
    .max(maxLength)
    .refine((text) => text.isWellFormed());

/** @throws RangeError that names the first member which is not as the schema wants it, without its value */
export function writeChecked<P extends object>(schema: z.ZodType<P>, what: string, payload: P): P {
  const { error } = schema.safeParse(payload);
  if (error === undefined) return payload;
  const member = String(error.issues[0]?.path[0] ?? 'payload');
  throw new RangeError(`${what}: ${member} is empty, too long or malformed`);
}
