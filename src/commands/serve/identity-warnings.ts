import type { ServeConfig } from '../../config/serve-config.ts';
import type { Dependency } from '../../http-api/readiness.ts';

/** What an operator should know of it: for `--check-config`, and the log at the start. */
export function identityWarnings({
  rulesFile,
  requireSignature,
  stampKeysFile,
}: ServeConfig['identity']): readonly string[] {
  const where =
    rulesFile === undefined
      ? [
          'identity.rulesFile is not set: in any namespace a pod may be stamped with every user who is not denied',
        ]
      : [];
  if (requireSignature) return stampKeysFile === undefined ? [NO_STAMP_KEYS, ...where] : where;
  return [
    'identity.requireSignature is off: whoever may annotate a pod chooses its user, among those that may be there',
    ...where,
  ];
}

const NO_STAMP_KEYS =
  'identity.stampKeysFile is not set, so no pod gets anything: name the public keys of the ID decorator, ' +
  'or set identity.requireSignature: false where nobody but operators can annotate pods';

/** A replica that can verify no stamp would answer everybody with 503: better those are asked that can. */
export function stampKeysDependency({
  requireSignature,
  stampKeysFile,
}: Pick<ServeConfig['identity'], 'requireSignature' | 'stampKeysFile'>): Dependency[] {
  if (!requireSignature || stampKeysFile !== undefined) return [];
  const check = () => Promise.reject(new Error(NO_STAMP_KEYS));
  return [{ name: 'identity/stamp-keys', required: 'always', check }];
}
