import type { HeldToken } from '../../delegation-tokens/credentials.ts';
import { type CredentialsFormat, encodeCredentials } from '../../hadoop/codec/credentials.ts';
import { toToken } from '../../hadoop/codec/delegation-token.ts';

/** A credentials file with each token once under each of its service labels. The label is the alias too, as in Java. */
export function encodeIssuedCredentials(
  issued: { readonly tokens: readonly HeldToken[] },
  format: CredentialsFormat,
): Uint8Array {
  const tokens = issued.tokens.flatMap(({ source, token }) =>
    source.services.map((service) => ({
      alias: service,
      token: { ...toToken(token, service), kind: source.kind },
    })),
  );
  return encodeCredentials({ tokens, secrets: [] }, format);
}
