import { access, constants, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type ConfigProblem } from '../../config/config-problem.ts';
import type { ServeConfig } from '../../config/serve-config.ts';
import type { DenyUsers } from '../../identity/deny-list.ts';
import type { Check } from '../../preflight/check.ts';
import { failed, ok, skipped, warning } from '../../preflight/say.ts';
import { errorCode } from '../../observability/error-code.ts';
import type { Clock } from '../../time/clock.ts';
import { openFiles } from '../serve/open-files.ts';
import { splitFix } from './split-fix.ts';

const CORRECT = 'Correct the file; docs/identity-rules.md has its format';

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
      const { problems, files } = await open({ ...identity, revocationsFile: undefined }, clock);
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
      const { problems, files } = await open({ ...identity, rulesFile: undefined }, clock);
      const count = files.revocations?.current.length ?? 0;
      return problems.length === 0
        ? [ok(revocations, `${count} revocation(s)`)]
        : problems.map(failure(revocations));
    },
  };
  return { checks: [rules, revocations], denyUsers: (user) => denyUsers(user) };
}

/** The certificate is looked at by a check of its own. */
const NO_TLS = { address: '127.0.0.1', port: 0, tls: undefined, trustedProxies: [] };

async function open(identity: ServeConfig['identity'], clock: Clock) {
  const problems: ConfigProblem[] = [];
  const files = await openFiles({ identity, listen: NO_TLS }, clock, problems);
  files.stop();
  return { problems, files };
}

const failure =
  (check: Check) =>
  ({ message }: ConfigProblem) => {
    const { detail, fix } = splitFix(message, CORRECT);
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
