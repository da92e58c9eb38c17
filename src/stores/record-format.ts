import { hash } from 'node:crypto';
import { z } from 'zod';
import { compactToken } from '../delegation-tokens/compact-token.ts';
import type { IssueClaim, RecordedToken, RecordId, TokenRecord } from '../delegation-tokens/token-record.ts';
import { toDelegationToken } from '../hadoop/codec/delegation-token.ts';
import { findMismatch } from './find-mismatch.ts';

/** Of what is written. A program reads its own version and, once there are several, the one before. */
const VERSION = 1;

export type DecodedRecord =
  | { readonly record: TokenRecord }
  /** What is wrong with it, for the operator: holds nothing of the content but a version number. */
  | { readonly problem: string };

/**
 * A name for the record that is a DNS label whatever is in the id. Not the id's inverse: the id is in the record too, and
 * is compared, so that a copy under another name is nobody's.
 */
export function nameOfRecord({ namespace, owner }: RecordId): string {
  const fields = [namespace === undefined ? 'all-namespaces' : 'namespace', namespace ?? '', owner];
  // With lengths: no two ids are the same text.
  const text = fields.map((field) => `${Buffer.byteLength(field)}:${field}`).join('');
  return `kerbridge-tokens-${hash('sha256', text).slice(0, 32)}`;
}

/** Tokens and their passwords in the open. */
export function encodeRecord({ namespace, owner, tokens, claims }: TokenRecord): string {
  return JSON.stringify({
    version: VERSION,
    ...(namespace === undefined ? {} : { namespace }),
    owner,
    tokens: tokens.map(encodeToken),
    claims,
  });
}

/**
 * The whole of it or nothing: what isn't exactly of a known form is a problem, and so is a token that says another owner,
 * renewer or kind than the record does.
 */
export function decodeRecord(text: string): DecodedRecord {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { problem: 'is no JSON' };
  }
  const version = anyVersion.safeParse(value).data?.version;
  if (version === undefined) return { problem: 'has no version' };
  if (version !== VERSION) return { problem: `is of version ${version}, and known is ${VERSION}` };
  const { data } = recordSchema.safeParse(value);
  if (data === undefined) return { problem: `is not of the form of version ${VERSION}` };
  let tokens: readonly RecordedToken[];
  try {
    tokens = data.tokens.map(decodeToken);
  } catch {
    return { problem: 'holds a token that cannot be read' };
  }
  const claims: readonly IssueClaim[] = data.claims;
  const record: TokenRecord = { namespace: data.namespace, owner: data.owner, tokens, claims };
  const mismatch = findMismatch(record);
  return mismatch === undefined ? { record } : { problem: mismatch };
}

const anyVersion = z.object({ version: z.int() });
const name = z.string().min(1);
const time = z.int().min(0);
const bytes = z
  .string()
  .refine((text) => Buffer.from(text, 'base64').toString('base64') === text)
  // A copy: small buffers share memory with others, and this is kept.
  .transform((text) => Uint8Array.from(Buffer.from(text, 'base64')));
const slot = {
  cluster: name,
  source: name,
  kind: name,
  renewer: name,
  scope: z.discriminatedUnion('type', [
    z.strictObject({ type: z.literal('namespace'), namespace: name }),
    z.strictObject({ type: z.literal('user') }),
    z.strictObject({ type: z.literal('pod'), namespace: name, podUid: name }),
  ]),
  stampedUser: name,
};
const tokenSchema = z.strictObject({
  ...slot,
  service: z.string(),
  identifier: bytes,
  password: bytes,
  issuedAt: time,
  retiredAt: time.optional(),
  tombstonedAt: time.optional(),
});
const recordSchema = z.strictObject({
  version: z.literal(VERSION),
  namespace: name.optional(),
  owner: name,
  tokens: z.array(tokenSchema),
  claims: z.array(z.strictObject({ ...slot, replica: name, claimedAt: time })),
});

/** Owner, dates and numbers are not written beside the identifier that says them: they could not agree. */
function encodeToken({ token, ...rest }: RecordedToken): z.input<typeof tokenSchema> {
  return {
    ...rest,
    service: token.service,
    identifier: Buffer.from(token.identifier).toString('base64'),
    password: Buffer.from(token.password.reveal()).toString('base64'),
  };
}

/** Throws CodecError. */
function decodeToken(read: z.output<typeof tokenSchema>): RecordedToken {
  const { service, identifier, password, retiredAt, tombstonedAt, ...rest } = read;
  return compactToken({
    ...rest,
    token: toDelegationToken({ kind: rest.kind, service, identifier, password }),
    ...(retiredAt === undefined ? {} : { retiredAt }),
    ...(tombstonedAt === undefined ? {} : { tombstonedAt }),
  });
}
