import { printable } from '../operator/format-table.ts';
import type { TokenDocument, TokenFileDocument } from './describe-token-file.ts';

const VERSION_OF = { writable: 0, protobuf: 1 } as const;

/** For a person: one fact a line. What others wrote is shown without control characters. */
export function formatTokenFile(path: string, document: TokenFileDocument): string {
  const { format, bytes, mode, tokens, secrets, warnings } = document;
  const facts = [
    `format ${format} (version ${VERSION_OF[format]})`,
    `${bytes} bytes`,
    ...(mode === null ? [] : [`mode ${mode}`]),
  ];
  const lines = [
    `${printable(path)}: Hadoop token file, ${facts.join(', ')}`,
    ...tokens.flatMap((token, index) => [`token ${index + 1} of ${tokens.length}`, ...tokenLines(token)]),
    ...secrets.map(({ alias, bytes: length }) => `secret ${printable(alias)}: ${length} bytes, not shown`),
    ...(tokens.length === 0
      ? []
      : ['Until when a token is renewed is not in the file: only its server knows.']),
    ...warnings.map((warning) => `warning: ${warning}`),
  ];
  return lines.map((line) => `${line}\n`).join('');
}

function tokenLines(token: TokenDocument): string[] {
  const { alias, kind, service, identifier, passwordBytes } = token;
  const facts: [string, string][] = [
    ['kind', kind],
    ['service', service],
    ...(alias === service ? [] : [['alias', alias] satisfies [string, string]]),
    ...identifierFacts(token),
    ['password', `${passwordBytes} bytes, not shown`],
  ];
  if (identifier?.expired === true) facts.push(['state', 'past its max date']);
  return facts.map(([name, value]) => `  ${name.padEnd(16)}${value === '' ? '(empty)' : printable(value)}`);
}

function identifierFacts({
  identifier,
  identifierBytes,
  identifierProblem,
}: TokenDocument): [string, string][] {
  if (identifier === null) {
    return [['identifier', `${identifierBytes} bytes, not read: ${identifierProblem ?? ''}`]];
  }
  return [
    ['owner', identifier.owner],
    ['real user', identifier.realUser],
    ['renewer', identifier.renewer],
    ['issued', identifier.issuedAt],
    ['max date', identifier.maxDate],
    ['sequence number', String(identifier.sequenceNumber)],
    ['master key', String(identifier.masterKeyId)],
  ];
}
