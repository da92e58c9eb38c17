import type { SharingRule } from '../../config/delegation-tokens-schema.ts';
import { DEFAULT_SHARING, type Sharing } from '../../delegation-tokens/sharing.ts';
import { createGlobTable } from '../../identity/glob-table.ts';

/** Of several rules the first that fits a pod counts. */
export function buildSharing(rules: readonly SharingRule[]): Sharing {
  if (rules.length === 0) return DEFAULT_SHARING;
  const compiled = rules.map(({ namespaces, users, scope, cancel }) => ({
    isNamespace: createGlobTable(namespaces.map((glob) => [glob, true])),
    isUser: createGlobTable(users.map((glob) => [glob, true])),
    scope,
    cancel,
  }));
  const ruleOf = (namespace: string, user: string) =>
    compiled.find((rule) => rule.isNamespace(namespace) === true && rule.isUser(user) === true);
  return {
    scopeOf: (namespace, user) => ruleOf(namespace, user)?.scope ?? 'namespace',
    cancelPolicyOf: (namespace, user) => {
      if (namespace !== undefined) return ruleOf(namespace, user)?.cancel ?? 'when-unused';
      // Pods of any namespace may hold it: cancelling is for those tokens that none of the rules keeps.
      const isKept = compiled.some((rule) => rule.cancel === 'never' && rule.isUser(user) === true);
      return isKept ? 'never' : 'when-unused';
    },
  };
}
