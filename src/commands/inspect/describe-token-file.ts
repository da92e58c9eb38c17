import { CodecError } from '../../hadoop/codec/codec-error.ts';
import { type CredentialsFormat, decodeCredentials } from '../../hadoop/codec/credentials.ts';
import type { Token } from '../../hadoop/codec/token.ts';
import { decodeTokenIdentifier } from '../../hadoop/codec/token-identifier.ts';
import { rfc3339 } from '../../http-api/credentials-document.ts';

/** What `inspect --json` prints. Of passwords and secrets their lengths, and nothing of an identifier that can't be read. */
export interface TokenFileDocument {
  readonly format: CredentialsFormat;
  readonly bytes: number;
  /** Octal, as `chmod` takes it; null for standard input. */
  readonly mode: string | null;
  readonly tokens: readonly TokenDocument[];
  readonly secrets: readonly { readonly alias: string; readonly bytes: number }[];
  readonly warnings: readonly string[];
}

export interface TokenDocument {
  readonly alias: string;
  readonly kind: string;
  readonly service: string;
  readonly identifierBytes: number;
  readonly passwordBytes: number;
  /** null when the layout of this kind's identifier isn't known, or the bytes don't fit it: `identifierProblem` says which. */
  readonly identifier: {
    readonly owner: string;
    readonly realUser: string;
    readonly renewer: string;
    readonly issuedAt: string;
    readonly maxDate: string;
    readonly sequenceNumber: number;
    readonly masterKeyId: number;
    /** Past its maxDate: no server takes it, and nobody can renew it. */
    readonly expired: boolean;
  } | null;
  readonly identifierProblem: string | null;
}

/**
 * @param now ms since the epoch
 * @throws {CodecError} for what is not a credentials file
 */
export function describeTokenFile(
  { bytes, mode }: { readonly bytes: Uint8Array; readonly mode: number | undefined },
  now: number,
): TokenFileDocument {
  const { format, credentials } = decodeCredentials(bytes);
  const tokens = credentials.tokens.map(({ alias, token }) => describeToken(alias, token, now));
  return {
    format,
    bytes: bytes.length,
    mode: mode === undefined ? null : mode.toString(8).padStart(4, '0'),
    tokens,
    secrets: credentials.secrets.map(({ alias, value }) => ({ alias, bytes: value.length })),
    warnings: [...warningsOf(tokens), ...modeWarning(mode)],
  };
}

function describeToken(alias: string, token: Token, now: number): TokenDocument {
  const { kind, service, identifier, password } = token;
  const described = {
    alias,
    kind,
    service,
    identifierBytes: identifier.length,
    passwordBytes: password.length,
  };
  try {
    const { issueDate, maxDate, ...rest } = decodeTokenIdentifier(kind, identifier);
    const dates = {
      issuedAt: rfc3339(issueDate),
      maxDate: rfc3339(maxDate),
      expired: maxDate <= BigInt(now),
    };
    return { ...described, identifier: { ...rest, ...dates }, identifierProblem: null };
  } catch (error) {
    if (!(error instanceof CodecError)) throw error;
    return { ...described, identifier: null, identifierProblem: error.message };
  }
}

function warningsOf(tokens: readonly TokenDocument[]): string[] {
  if (tokens.length === 0)
    return ['there is no token in it: a Hadoop client would ask for a Kerberos ticket'];
  const expired = tokens.filter(({ identifier }) => identifier?.expired === true).length;
  return expired === 0
    ? []
    : [`${expired} of ${tokens.length} tokens past the max date: every server refuses them; fetch anew`];
}

function modeWarning(mode: number | undefined): string[] {
  return mode === undefined || (mode & 0o007) === 0
    ? []
    : ['others than its user and group may open the file, and be its owner at Hadoop: chmod o-rwx'];
}
