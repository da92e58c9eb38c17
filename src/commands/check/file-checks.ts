import { access, constants, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type ConfigProblem } from '../../config/config-problem.ts';
import type { ServeConfig } from '../../config/serve-config.ts';
import type { DenyUsers } from '../../identity/deny-list.ts';
import type { Check } from '../../preflight/check.ts';
import { failed, ok, skipped, warning } from '../../preflight/say.ts';
import { errorCode } from '../../observability/error-code.ts';
import type { Clock } from '../../time/clock.ts';
import { type IdentityFilePaths, openFiles } from '../serve/open-files.ts';
import { splitFix } from './split-fix.ts';

const CORRECT = 'Correct the file; docs/identity-rules.md has its format';
const CORRECT_KEYS = 'Give serve the public key set of the ID decorator, as it stands';

export interface IdentityFiles {
  readonly checks: readonly Check[];
  /** The deny list of the rules; nobody until they are read, and when they can't be. */
  readonly denyUsers: DenyUsers;
}

/** The files of `identity`, read as `serve` reads them. */
export function identityFileChecks(identity: ServeConfig['identity'], clock: Clock): IdentityFiles {
  let denyUsers: DenyUsers = () => undefined;
  const rules: Check = {
    id: 'identity-rules',
    title: `Identity rules ${identity.rulesFile ?? ''}`.trim(),
    run: async () => {
      if (identity.rulesFile === undefined) {
        const fix =
          'Set identity.rulesFile: which users the pods of which namespaces may be (docs/identity-rules.md)';
        const detail =
          'identity.rulesFile is not set: in any namespace a pod may be stamped with any user who is not denied';
        return [warning(rules, detail, fix)];
      }
      const { problems, files } = await open({ ...NO_FILES, rulesFile: identity.rulesFile }, clock);
      const current = files.rules?.current;
      if (current !== undefined) denyUsers = current.denyUsers;
      return problems.length === 0 ? [ok(rules, 'can be used')] : problems.map(failure(rules));
    },
  };
  const revocations: Check = {
    id: 'revocations-file',
    title: `Revocations ${identity.revocationsFile ?? ''}`.trim(),
    run: async () => {
      if (identity.revocationsFile === undefined) {
        return [skipped(revocations, 'identity.revocationsFile is not set')];
      }
      const { problems, files } = await open(
        { ...NO_FILES, revocationsFile: identity.revocationsFile },
        clock,
      );
      const count = files.revocations?.current.length ?? 0;
      return problems.length === 0
        ? [ok(revocations, `${count} revocation(s)`)]
        : problems.map(failure(revocations));
    },
  };
  return {
    checks: [rules, revocations, stampKeysCheck(identity, clock)],
    denyUsers: (user) => denyUsers(user),
  };
}

/** Whether `serve` could verify who a pod speaks for. */
function stampKeysCheck({ requireSignature, stampKeysFile }: ServeConfig['identity'], clock: Clock): Check {
  const check: Check = {
    id: 'stamp-keys',
    title: `Keys of stamps ${stampKeysFile ?? ''}`.trim(),
    run: async () => {
      if (stampKeysFile === undefined && requireSignature) {
        const fix =
          'Set identity.stampKeysFile to the public keys of the ID decorator, or identity.requireSignature: false where nobody but operators can annotate pods';
        return [failed(check, 'identity.stampKeysFile is not set, so serve hands nothing out', fix)];
      }
      const unsigned =
        'identity.requireSignature is off: whoever may annotate a pod chooses its user, among those that may be there';
      const warnings = requireSignature
        ? []
        : [
            warning(
              check,
              unsigned,
              'Leave identity.requireSignature out, once the ID decorator signs what pods are',
            ),
          ];
      if (stampKeysFile === undefined) return warnings;
      const { problems, files } = await open({ ...NO_FILES, stampKeysFile }, clock);
      const kids = files.stampKeys?.current.keys.map(({ kid }) => kid) ?? [];
      if (problems.length > 0) return problems.map(failure(check, CORRECT_KEYS));
      return warnings.length > 0 ? warnings : [ok(check, `${kids.length} key(s): ${kids.join(', ')}`)];
    },
  };
  return check;
}

const NO_FILES = { rulesFile: undefined, revocationsFile: undefined, stampKeysFile: undefined };

/** The certificate is looked at by a check of its own. */
const NO_TLS = { address: '127.0.0.1', port: 0, tls: undefined, trustedProxies: [] };

async function open(identity: IdentityFilePaths, clock: Clock) {
  const problems: ConfigProblem[] = [];
  const files = await openFiles({ identity, listen: NO_TLS }, clock, problems);
  files.stop();
  return { problems, files };
}

const failure =
  (check: Check, fallback = CORRECT) =>
  ({ message }: ConfigProblem) => {
    const { detail, fix } = splitFix(message, fallback);
    return failed(check, detail, fix);
  };

/** Whether decisions could be written down: without that `serve` answers nobody. */
export function auditFileCheck({ file }: ServeConfig['audit']): Check {
  const check: Check = {
    id: 'audit-file',
    title: `Audit ${file ?? 'on standard error'}`,
    run: async () => {
      if (file === undefined) return [skipped(check, 'audit.file is not set: standard error has the audit')];
      try {
        const isThere = await stat(file).then(
          (stats) => stats.isFile(),
          () => undefined,
        );
        if (isThere === false) return [failed(check, 'it is no file', 'Name a file with audit.file')];
        // A file that is not there yet is made by serve.
        await access(isThere === true ? file : dirname(file), constants.W_OK);
        return [ok(check, isThere === true ? 'can be written' : 'can be made')];
      } catch (error) {
        const fix = `Let the user that serve runs as write to ${file} (a volume, its owner, fsGroup); serve answers nobody while it can't be written`;
        return [failed(check, `cannot be written by this process (${errorCode(error)})`, fix)];
      }
    },
  };
  return check;
}
