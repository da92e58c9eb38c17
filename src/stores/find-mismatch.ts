import type { TokenRecord, TokenSlot } from '../delegation-tokens/token-record.ts';

/**
 * What in a record belongs to somebody else; undefined: nothing. Whoever looks a token up by its record takes it for the
 * record's owner, and hands it to pods of the record's namespace.
 */
export function findMismatch({ namespace, owner, tokens, claims }: TokenRecord): string | undefined {
  for (const { token, kind, renewer } of tokens) {
    if (token.owner !== owner) return 'holds a token of another owner';
    if (token.renewer !== renewer) return 'holds a token with another renewer';
    if (token.kind !== kind) return 'holds a token of another kind';
  }
  const slots: readonly TokenSlot[] = [...tokens, ...claims];
  if (slots.some(({ scope }) => namespaceOf(scope) !== namespace))
    return 'holds what is of another namespace';
  return undefined;
}

function namespaceOf(scope: TokenSlot['scope']): string | undefined {
  return scope.type === 'user' ? undefined : scope.namespace;
}
