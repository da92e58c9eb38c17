import { parseJson } from './reflector/watch-events.ts';
import type { Reply } from './exchange.ts';

/**
 * The JSON of a reply that says yes; undefined for any other, whose status says more. Throws KubernetesApiError
 * `bad-reply` if it is none.
 */
export function jsonOfReply({ status, contentType, bytes }: Reply): unknown {
  const isJson = status >= 200 && status < 300 && /^application\/json(?:;|$)/.test(contentType);
  return isJson ? parseJson(bytes) : undefined;
}
