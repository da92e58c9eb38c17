import type { ServeConfig } from '../../config/serve-config.ts';
import { createDenyList, denyEntryProblem, type DenyUsers } from '../../identity/deny-list.ts';
import { compileUserPattern } from '../../identity/user-name.ts';
import type { Check } from '../../preflight/check.ts';
import type { Finding } from '../../preflight/finding.ts';
import { failed, ok, skipped } from '../../preflight/say.ts';
import type { ClusterFiles } from './cluster-files.ts';
import type { IdentityFiles } from './file-checks.ts';

export interface JudgeUserOptions {
  readonly user: string;
  /** undefined: the configuration's is not right in itself. */
  readonly identity: ServeConfig['identity'] | undefined;
  /** Of all clusters. */
  readonly ownShortNames: readonly string[];
  readonly serviceUsers: readonly string[];
  readonly deniedByRules: DenyUsers;
}

export interface UserCheckOptions extends Pick<JudgeUserOptions, 'user' | 'identity'> {
  /** undefined: there are none, since the configuration's section is not right in itself. */
  readonly identityFiles: IdentityFiles | undefined;
  /** Of all clusters: whoever is denied in one is denied in all. */
  readonly clusters: readonly ClusterFiles[];
}

/** Runs only when every deny list could be read: a token of somebody who is denied must not be asked for. */
export function userCheck({ user, identity, identityFiles, clusters }: UserCheckOptions): Check {
  return {
    id: 'user',
    title: 'The user of --user',
    needs: ['identity-rules', ...clusters.map(({ config }) => `conf-dir:${config.name}`)],
    run: () => {
      const deniedByRules = identityFiles?.denyUsers ?? (() => undefined);
      return Promise.resolve([judgeUser({ user, identity, ...namesOf(clusters), deniedByRules })]);
    },
  };
}

function namesOf(clusters: readonly ClusterFiles[]) {
  const parts = clusters.flatMap((files) => files.parts() ?? []);
  return {
    ownShortNames: parts
      .flatMap(({ shortName, renewer }) => [shortName ?? '', renewer ?? ''])
      .filter((name) => name.trim() !== ''),
    serviceUsers: parts.flatMap(({ serviceUsers }) => serviceUsers),
  };
}

/** Whether `serve` could ever hand out a token of that user: nobody else's is asked for here. */
export function judgeUser(options: JudgeUserOptions): Finding {
  const { user, identity, ownShortNames, serviceUsers, deniedByRules } = options;
  const subject = { id: 'user', title: `The user ${JSON.stringify(user.slice(0, 64))} of --user` };
  const fix = 'Name a person with --user, by the short name that Hadoop knows';
  const pattern = usable(() => compileUserPattern(identity?.userPattern));
  if ((pattern ?? compileUserPattern())(user) !== 'valid') {
    return failed(subject, 'no user name that serve would take (identity.userPattern)', fix);
  }
  const denyUsers = identity?.denyUsers ?? [];
  const readable = denyUsers.filter((entry) => denyEntryProblem(entry) === undefined);
  const deny = createDenyList({ ownShortNames, serviceUsers, users: readable });
  const entry = deny(user) ?? deniedByRules(user);
  if (entry !== undefined) {
    return failed(
      subject,
      `on the deny list (${entry}): no pod may be that user, and this check neither`,
      fix,
    );
  }
  const isWhole = identity !== undefined && pattern !== undefined && readable.length === denyUsers.length;
  return isWhole
    ? ok(subject, 'may be asked for')
    : skipped(subject, 'the identity section of the configuration is wrong, and may deny that user');
}

function usable<T>(make: () => T): T | undefined {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return undefined;
  }
}
