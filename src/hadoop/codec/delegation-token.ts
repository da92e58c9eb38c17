import type { DelegationToken } from '../../delegation-tokens/token-service.ts';
import { Secret } from '../../observability/secret.ts';
import type { Token } from './token.ts';
import { decodeTokenIdentifier } from './token-identifier.ts';

/** With the identifier's fields beside it and the password wrapped. Throws CodecError when the identifier can't be read. */
export function toDelegationToken(token: Token): DelegationToken {
  return {
    kind: token.kind,
    service: token.service,
    identifier: token.identifier,
    password: new Secret(token.password),
    ...decodeTokenIdentifier(token.kind, token.identifier),
  };
}

/** The token as it is written for a client that looks it up under `service`. The password is in the open in it. */
export function toToken(delegationToken: DelegationToken, service: string): Token {
  return {
    identifier: delegationToken.identifier,
    password: delegationToken.password.reveal(),
    kind: delegationToken.kind,
    service,
  };
}
