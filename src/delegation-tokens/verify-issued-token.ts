import { TokenServiceError } from './token-service.ts';
import type { DelegationToken } from './token-service.ts';

export interface ExpectedToken {
  readonly owner: string;
  readonly renewer: string;
  readonly kind: string;
  /**
   * Our own short name: what `realUser` may be besides empty. Undefined where it is not known; `realUser` is then left
   * to the token service, which knows as whom it asked.
   */
  readonly proxyUser: string | undefined;
}

/**
 * Throws TokenServiceError `wrong-token` unless the token is for whom it was asked.
 *
 * Not a formality: a NameNode that does not understand `doas` (a misspelt parameter, a proxy that drops the query)
 * answers 200 with a token of the service itself, and whoever got that would be the service.
 */
export function verifyIssuedToken(token: DelegationToken, expected: ExpectedToken): void {
  const { proxyUser } = expected;
  const wrong = [
    difference('owner', token.owner, expected.owner),
    difference('renewer', token.renewer, expected.renewer),
    difference('kind', token.kind, expected.kind),
    proxyUser === undefined || token.realUser === ''
      ? undefined
      : difference('realUser', token.realUser, proxyUser),
  ].filter((text) => text !== undefined);
  if (wrong.length === 0) return;
  throw new TokenServiceError(
    'wrong-token',
    `the server issued another token than was asked for: ${wrong.join(', ')}`,
    {
      fix: 'The token was thrown away. Check that nothing between here and the server drops query parameters, and that hadoop.security.auth_to_local leaves short names as they are.',
    },
  );
}

function difference(field: string, actual: string, expected: string): string | undefined {
  return actual === expected ? undefined : `${field} is ${quote(actual)}, not ${quote(expected)}`;
}

/** Quoted and escaped, so that a name can't forge the rest of the line. */
function quote(name: string): string {
  const printable = name.replaceAll(/[^\x20-\x7E]/gu, '?');
  return JSON.stringify(printable.length > 128 ? `${printable.slice(0, 127)}~` : printable);
}
