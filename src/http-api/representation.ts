import { createHmac } from 'node:crypto';
import { createCredentialsDocument, type IssuedCredentials } from './credentials-document.ts';

export const JSON_TYPE = 'application/json';
export const FILE_TYPE = 'application/octet-stream';

/** An answer with credentials, ready to be sent. */
export interface Representation {
  readonly type: string;
  readonly body: Buffer;
  /** What two answers that may stand for each other have in common; the body itself makes a strong ETag. */
  readonly lasting: Buffer;
}

export function etagOf({ body, lasting }: Representation, key: Uint8Array): string {
  const digest = createHmac('sha256', key).update(lasting).digest('base64url');
  return lasting === body ? `"${digest}"` : `W/"${digest}"`;
}

export function fileOf(file: Uint8Array): Representation {
  const body = Buffer.from(file);
  return { type: FILE_TYPE, body, lasting: body };
}

/**
 * `refreshAfter` is spread anew in each answer, so the ETag is a weak one that leaves it out: who has the same tokens
 * has a date that is as good. Not so with a kind missing, when the date is that of the next try.
 */
export function documentOf(owner: string, issued: IssuedCredentials, file: Uint8Array): Representation {
  const document = createCredentialsDocument(owner, issued, file);
  const { refreshAfter, ...rest } = document;
  const lasting = Buffer.from(JSON.stringify(issued.missing.length === 0 ? rest : [rest, refreshAfter]));
  return { type: JSON_TYPE, body: Buffer.from(JSON.stringify(document)), lasting };
}
