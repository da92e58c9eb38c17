import { parseRevocations } from '../config/revocations-document.ts';
import type { Revocation } from '../identity/revocations.ts';

/**
 * What `RevocationsConfigMap.read` gives: no text at all, as from a ConfigMap that nobody has made yet, is an empty list;
 * an empty text is none.
 * Throws a ConfigError.
 */
export function parseRevocationsText(text: string | undefined): readonly Revocation[] {
  return text === undefined ? [] : parseRevocations(text);
}
