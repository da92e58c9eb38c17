import { readFile } from 'node:fs/promises';
import {
  compileRequesterRules,
  NO_REQUESTER_RULES,
  type RequesterRules,
} from '../../admission/requester/requester-rules.ts';
import { takeOverPaths } from '../../admission/templates/kube2hadoop-paths.ts';
import { buildTemplateTable, type TemplateTable } from '../../admission/templates/template-table.ts';
import { ConfigError, type ConfigProblem } from '../../config/config-problem.ts';
import type { DecorateConfig } from '../../config/decorate-config.ts';
import { parseIdentityRules } from '../../config/identity-rules.ts';
import { parseKube2HadoopPaths } from '../../config/kube2hadoop-paths-file.ts';
import { type DecorateOptions, loadDecorateConfig } from '../../config/load-decorate-config.ts';
import { parseRequesters } from '../../config/requesters.ts';
import type { WatchedFile } from '../../config/watched-file.ts';
import { createDenyList, type DenyUsers } from '../../identity/deny-list.ts';
import {
  compileIdentityRules,
  type IdentityRules,
  NO_IDENTITY_RULES,
} from '../../identity/identity-rules.ts';
import { parsePrivateKeys } from '../../identity/stamps/read-stamp-keys.ts';
import type { StampPrivateKeys } from '../../identity/stamps/stamp-keys.ts';
import { compileUserPattern, type JudgeUserName } from '../../identity/user-name.ts';
import type { KubernetesApi } from '../../kubernetes/kubernetes-api.ts';
import { errorCode } from '../../observability/error-code.ts';
import type { Clock } from '../../time/clock.ts';
import { TlsCertificate } from '../serve/tls-certificate.ts';
import { deniedUsers } from '../service/denied-users.ts';
import { type FileChange, FileFollower, noteProblems, problemBelow } from '../service/followed-files.ts';
import { hostPort } from '../service/host-port.ts';
import { openKubernetes } from '../service/open-kubernetes.ts';
import { nameTlsProblem } from './name-tls-problem.ts';

export type DecorateFile = 'rules' | 'requesters' | 'signing-keys' | 'tls';

export type DecorateFileChange = FileChange<DecorateFile>;

/** Read again when they change; what can't be used leaves in force what was there before. */
export interface DecorateFiles {
  readonly rules: WatchedFile<IdentityRules> | undefined;
  readonly requesters: WatchedFile<RequesterRules> | undefined;
  readonly signingKeys: WatchedFile<StampPrivateKeys> | undefined;
  readonly tls: TlsCertificate | undefined;
  /** One listener, which must not throw. */
  readonly follow: (listener: (change: DecorateFileChange) => void) => void;
  readonly stop: () => void;
}

/** Everything that is known before the first connection. */
export interface DecoratePlan {
  readonly config: DecorateConfig;
  readonly kubernetes: KubernetesApi;
  readonly files: DecorateFiles;
  readonly identityRules: () => IdentityRules;
  readonly requesterRules: () => RequesterRules;
  readonly denyUsers: DenyUsers;
  readonly judgeUserName: JudgeUserName;
  readonly templates: TemplateTable;
  /** PEM of who signs API servers' client certificates. */
  readonly clientCa: string | undefined;
  /** What is odd and no problem. */
  readonly warnings: readonly string[];
}

/**
 * Reads the configuration and every file that it names. Starts nothing.
 * @throws {ConfigError} with all problems of all files
 */
export async function planDecorate(options: DecorateOptions, clock: Clock): Promise<DecoratePlan> {
  const loaded = await loadDecorateConfig(options);
  if (!loaded.ok) throw new ConfigError(loaded.problems);
  const { config } = loaded;
  const problems: ConfigProblem[] = [];
  const warnings: string[] = [];
  const files = await openFiles(config, clock, problems);
  const kubernetes = openKubernetes(config, problems);
  const templates = await buildTemplates(config, problems, warnings);
  const denyUsers = createDenyList({
    ownShortNames: [],
    users: deniedUsers(config.identity.denyUsers, problems),
  });
  const judgeUserName = userPattern(config, problems);
  const clientCa = await readClientCa(config, problems);
  if (
    kubernetes === undefined ||
    templates === undefined ||
    judgeUserName === undefined ||
    problems.length > 0
  ) {
    kubernetes?.close();
    files.stop();
    throw new ConfigError(problems);
  }
  return {
    config,
    kubernetes,
    files,
    identityRules: () => files.rules?.current ?? NO_IDENTITY_RULES,
    requesterRules: () => files.requesters?.current ?? NO_REQUESTER_RULES,
    denyUsers,
    judgeUserName,
    templates,
    clientCa,
    warnings,
  };
}

async function openFiles(
  config: DecorateConfig,
  clock: Clock,
  problems: ConfigProblem[],
): Promise<DecorateFiles> {
  const follower = new FileFollower<DecorateFile>(clock, problems);
  const { identity, requestersFile, signing, tls } = config;
  const rules = await follower.open('rules', {
    key: 'identity.rulesFile',
    path: identity.rulesFile,
    parse: (text) => compileIdentityRules(parseIdentityRules(text)),
  });
  const requesters = await follower.open('requesters', {
    key: 'requestersFile',
    path: requestersFile,
    parse: (text) => compileRequesterRules(parseRequesters(text)),
  });
  const signingKeys = await follower.open('signing-keys', {
    key: 'signing.keysFile',
    path: signing.from === 'file' ? signing.keysFile : undefined,
    parse: (text) => {
      const read = parsePrivateKeys(text);
      if (!read.ok) throw new ConfigError(read.problems);
      return read.keys;
    },
  });
  const certificate =
    tls.mode === 'files'
      ? await TlsCertificate.open({ ...tls, clock }).catch((error: unknown) =>
          noteProblems(error, problems, nameTlsProblem),
        )
      : undefined;
  return {
    rules,
    requesters,
    signingKeys,
    tls: certificate,
    follow: follower.follow,
    stop: () => {
      for (const file of [rules, requesters, signingKeys, certificate]) file?.stop();
    },
  };
}

async function buildTemplates(
  { templates: { customResources, kube2hadoopPathsFile } }: DecorateConfig,
  problems: ConfigProblem[],
  warnings: string[],
): Promise<TemplateTable | undefined> {
  const key = 'templates.kube2hadoopPathsFile';
  let taken: ReturnType<typeof takeOverPaths> | undefined;
  if (kube2hadoopPathsFile !== undefined) {
    try {
      taken = takeOverPaths(parseKube2HadoopPaths(await readFile(kube2hadoopPathsFile, 'utf8')));
      warnings.push(...taken.notes.map((each) => `${key}: ${each}`));
    } catch (error) {
      if (error instanceof ConfigError)
        noteProblems(error, problems, (problem) => problemBelow(key, problem));
      else problems.push({ path: key, message: `can't be read (${errorCode(error)}): name a readable file` });
    }
  }
  const built = buildTemplateTable({
    resources: customResources,
    ...(taken === undefined ? {} : { plurals: taken.plurals, others: taken.others }),
  });
  if (built.ok) return built.table;
  problems.push(
    ...built.problems.map(({ path, message }) => ({
      path: ['templates.customResources', ...path]
        .map((part) => (typeof part === 'number' ? `[${part}]` : `.${part}`))
        .join('')
        .slice(1),
      message,
    })),
  );
  return undefined;
}

function userPattern({ identity }: DecorateConfig, problems: ConfigProblem[]): JudgeUserName | undefined {
  try {
    return compileUserPattern(identity.userPattern);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    problems.push({ path: 'identity.userPattern', message: error.message });
    return undefined;
  }
}

async function readClientCa({ tls }: DecorateConfig, problems: ConfigProblem[]): Promise<string | undefined> {
  if (tls.clients === undefined) return undefined;
  try {
    const pem = await readFile(tls.clients.caFile, 'utf8');
    if (pem.includes('-----BEGIN CERTIFICATE-----')) return pem;
    problems.push({
      path: 'tls.clients.caFile',
      message: 'holds no certificate: name a PEM file of the authority of API servers',
    });
  } catch (error) {
    problems.push({
      path: 'tls.clients.caFile',
      message: `can't be read (${errorCode(error)}): name a readable file`,
    });
  }
  return undefined;
}

/** What `--check-config` prints: for a person, one fact a line, no secret. */
export function describeDecoratePlan({ config, kubernetes, files, warnings }: DecoratePlan): string[] {
  const { tls, signing, listen, admin, optIn } = config;
  const keys = files.signingKeys?.current.keys;
  return [
    'configuration ok',
    `listen: https://${hostPort(listen)}`,
    `admin: http://${hostPort(admin)}`,
    `kubernetes: ${kubernetes.server}`,
    `certificate: ${tls.mode === 'files' ? tls.certFile : `an authority of our own, in Secret ${tls.secret.name}, for ${tls.dnsNames.join(', ')}`}`,
    `signing keys: ${signing.from === 'file' ? `${keys?.length ?? 0} in ${signing.keysFile}, ${keys?.[0].kid ?? 'none'} signs` : `in Secret ${signing.secret.name}`}`,
    `namespaces: those with the label ${optIn.label}=${optIn.value}`,
    ...(config.auditOnly ? ['audit only: nothing is changed or refused'] : []),
    ...warnings.map((warning) => `warning: ${warning}`),
  ];
}
