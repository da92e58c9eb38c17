import type { IncomingMessage } from 'node:http';
import { acceptedType } from './create-router.ts';
import { type CredentialsType, FILE_TYPE, JSON_TYPE } from './prepared-credentials.ts';

export const TYPES = [JSON_TYPE, FILE_TYPE] as const;

/** What nearly everybody sends, with what negotiation makes of it. */
const USUAL = new Map<string | undefined, CredentialsType>([
  [undefined, JSON_TYPE],
  ['*/*', JSON_TYPE],
  [JSON_TYPE, JSON_TYPE],
  [FILE_TYPE, FILE_TYPE],
]);

/** The type of the answer by the request's `Accept`; undefined: none that we have. */
export function negotiateType(request: IncomingMessage): CredentialsType | undefined {
  return USUAL.get(request.headers.accept) ?? TYPES.find((type) => type === acceptedType(request, TYPES));
}
