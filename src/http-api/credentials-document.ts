import type { CredentialsResult, HeldToken } from '../delegation-tokens/credentials.ts';

export type IssuedCredentials = Extract<CredentialsResult, { readonly outcome: 'issued' }>;

/** The JSON answer of `GET /v1/credentials`. Dates are RFC 3339 in UTC, with milliseconds. */
export interface CredentialsDocument {
  readonly owner: string;
  readonly cluster: string;
  /** Base64 of a whole Hadoop credentials file: the same bytes as `Accept: application/octet-stream` gets. */
  readonly credentials: string;
  readonly tokens: readonly {
    readonly cluster: string;
    readonly kind: string;
    readonly service: string;
    readonly owner: string;
    readonly renewer: string;
    readonly issuedAt: string;
    readonly expiresAt: string;
    readonly maxDate: string;
    readonly sequenceNumber: number;
  }[];
  /** Drawn anew for each answer. */
  readonly refreshAfter: string;
  readonly missing: readonly { readonly kind: string; readonly code: string }[];
}

/**
 * All but the date, which is each answer's own. One entry of `tokens` for each entry of the credentials file, so one for
 * each service label.
 */
export function createCredentialsDocument(
  owner: string,
  issued: IssuedCredentials,
  credentials: Uint8Array,
): Omit<CredentialsDocument, 'refreshAfter'> {
  return {
    owner,
    cluster: issued.cluster,
    credentials: Buffer.from(credentials).toString('base64'),
    tokens: issued.tokens.flatMap(describeToken),
    missing: issued.missing.map(({ kind, code }) => ({ kind, code })),
  };
}

function describeToken({ source, token, expiresAt }: HeldToken): CredentialsDocument['tokens'] {
  return source.services.map((service) => ({
    cluster: source.cluster,
    kind: source.kind,
    service,
    owner: token.owner,
    renewer: token.renewer,
    issuedAt: rfc3339(token.issueDate),
    expiresAt: rfc3339(expiresAt),
    maxDate: rfc3339(token.maxDate),
    sequenceNumber: token.sequenceNumber,
  }));
}

/** The last instant RFC 3339 can write (its years have four digits), here for "never". */
export const LATEST_MS = 253_402_300_799_999n;

/**
 * Long.MAX_VALUE is a legal maxDate of Hadoop, beyond what a JavaScript number or date holds: dates past the year
 * 9999 become its last millisecond.
 */
export function rfc3339(msSinceEpoch: bigint): string {
  const ms = msSinceEpoch > LATEST_MS ? LATEST_MS : msSinceEpoch < 0n ? 0n : msSinceEpoch;
  return new Date(Number(ms)).toISOString();
}
