import { ConfigError, type ConfigProblem, formatProblem } from '../../config/config-problem.ts';
import { loadServeConfig, type ServeOptions } from '../../config/load-serve-config.ts';
import {
  type ClusterConfig,
  parseServeConfig,
  type ServeConfig,
  type ServeConfigResult,
  type ServeConfigSections,
} from '../../config/serve-config.ts';
import { denyEntryProblem } from '../../identity/deny-list.ts';
import { compileUserPattern } from '../../identity/user-name.ts';
import type { Finding } from '../../preflight/finding.ts';
import { failed, ok } from '../../preflight/say.ts';
import { splitFix } from './split-fix.ts';

/** What of the configuration can be looked at further, whatever else is wrong with it. */
export interface LoadedConfiguration {
  readonly findings: readonly Finding[];
  /** All of it is right in itself. */
  readonly isWhole: boolean;
  readonly clusters: readonly { readonly index: number; readonly cluster: ClusterConfig }[];
  readonly sections: ServeConfigSections;
  /** Those of the configuration, or the defaults. */
  readonly limits: ServeConfig['limits'];
}

export const configurationSubject = ({ config }: ServeOptions) => ({
  id: 'configuration',
  title: config === undefined ? 'Configuration by options' : `Configuration ${config}`,
});

const FALLBACK = 'Correct it; docs/configuration.md has every key';

/** Reads the configuration of `serve`: one finding a problem, by its key. Opens no other file. */
export async function loadConfiguration(options: ServeOptions): Promise<LoadedConfiguration> {
  const subject = configurationSubject(options);
  const loaded = await loadServeConfig(options).catch((error: unknown): ServeConfigResult => {
    if (!(error instanceof ConfigError)) throw error;
    return { ok: false, problems: error.problems, clusters: [], sections: {} };
  });
  const sections: ServeConfigSections = loaded.ok ? loaded.config : loaded.sections;
  const clusters = loaded.ok
    ? loaded.config.clusters.map((cluster, index) => ({ index, cluster }))
    : loaded.clusters;
  const problems = [...(loaded.ok ? [] : loaded.problems), ...identityProblems(sections.identity)];
  const findings = problems.map((problem) => {
    const { detail, fix } = splitFix(formatProblem(problem), FALLBACK);
    const id = problem.path === '' ? subject.id : `${subject.id}:${problem.path}`;
    return failed({ ...subject, id }, detail, fix);
  });
  const names = clusters.map(({ cluster }) => cluster.name).join(', ');
  return {
    findings: findings.length > 0 ? findings : [ok(subject, `${clusters.length} cluster(s): ${names}`)],
    isWhole: findings.length === 0,
    clusters,
    sections,
    limits: sections.limits ?? defaultLimits(),
  };
}

/** As `serve` finds them at its start. */
function identityProblems(identity: ServeConfig['identity'] | undefined): readonly ConfigProblem[] {
  if (identity === undefined) return [];
  const denied = identity.denyUsers.flatMap((entry, index) => {
    const message = denyEntryProblem(entry);
    return message === undefined ? [] : [{ path: `identity.denyUsers[${index}]`, message }];
  });
  try {
    compileUserPattern(identity.userPattern);
    return denied;
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return [...denied, { path: 'identity.userPattern', message: error.message }];
  }
}

function defaultLimits(): ServeConfig['limits'] {
  const nothing = parseServeConfig({});
  const limits = nothing.ok ? nothing.config.limits : nothing.sections.limits;
  if (limits === undefined) throw new RangeError('the default limits are not right in themselves');
  return limits;
}
