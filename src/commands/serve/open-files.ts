import { ConfigError, type ConfigProblem, formatProblem } from '../../config/config-problem.ts';
import { parseIdentityRules } from '../../config/identity-rules.ts';
import { parseRevocations } from '../../config/revocations-document.ts';
import type { ServeConfig } from '../../config/serve-config.ts';
import { WatchedFile } from '../../config/watched-file.ts';
import { compileIdentityRules, type IdentityRules } from '../../identity/identity-rules.ts';
import { parsePublicKeys } from '../../identity/stamps/read-stamp-keys.ts';
import type { StampPublicKeys } from '../../identity/stamps/stamp-keys.ts';
import type { Revocation } from '../../identity/revocations.ts';
import type { Clock } from '../../time/clock.ts';
import { TlsCertificate } from './tls-certificate.ts';

export type ServeFile = 'rules' | 'revocations' | 'stamp-keys' | 'tls';

export interface FileChange {
  readonly file: ServeFile;
  /** `kept`: what the files say now can't be used. */
  readonly outcome: 'reloaded' | 'kept';
  readonly problems: readonly ConfigProblem[];
}

/** The files that are read again when they change. */
export interface ServeFiles {
  readonly rules: WatchedFile<IdentityRules> | undefined;
  readonly revocations: WatchedFile<readonly Revocation[]> | undefined;
  readonly stampKeys: WatchedFile<StampPublicKeys> | undefined;
  readonly tls: TlsCertificate | undefined;
  /** Tells `listener`, which must not throw, of each change from now on. One listener. */
  readonly follow: (listener: (change: FileChange) => void) => void;
  readonly stop: () => void;
}

/** Paths of files of `identity`; undefined: none. */
export type IdentityFilePaths = Pick<
  ServeConfig['identity'],
  'rulesFile' | 'revocationsFile' | 'stampKeysFile'
>;

/** Opens them all and adds what is wrong with them to `problems`, by the key that names the file. */
export async function openFiles(
  { identity, listen }: Pick<ServeConfig, 'listen'> & { readonly identity: IdentityFilePaths },
  clock: Clock,
  problems: ConfigProblem[],
): Promise<ServeFiles> {
  let listener: (change: FileChange) => void = () => undefined;

  const openText = async <T>(
    file: ServeFile,
    key: string,
    path: string | undefined,
    parse: (text: string) => T,
  ): Promise<WatchedFile<T> | undefined> => {
    if (path === undefined) return undefined;
    const onChange = (outcome: FileChange['outcome'], found: readonly ConfigProblem[]): void => {
      listener({ file, outcome, problems: found.map((problem) => below(key, problem)) });
    };
    return await WatchedFile.open({ path, parse, clock, onChange }).catch((error: unknown) =>
      noteProblems(error, problems, key),
    );
  };

  const rules = await openText('rules', 'identity.rulesFile', identity.rulesFile, (text) =>
    compileIdentityRules(parseIdentityRules(text)),
  );
  const revocations = await openText(
    'revocations',
    'identity.revocationsFile',
    identity.revocationsFile,
    parseRevocations,
  );
  const stampKeys = await openText(
    'stamp-keys',
    'identity.stampKeysFile',
    identity.stampKeysFile,
    parseStampKeys,
  );
  const tls =
    listen.tls === undefined
      ? undefined
      : await TlsCertificate.open({ ...listen.tls, clock }).catch((error: unknown) =>
          noteProblems(error, problems),
        );
  return {
    rules,
    revocations,
    stampKeys,
    tls,
    follow: (given) => {
      listener = given;
    },
    stop: () => {
      rules?.stop();
      revocations?.stop();
      stampKeys?.stop();
      tls?.stop();
    },
  };
}

function parseStampKeys(text: string): StampPublicKeys {
  const read = parsePublicKeys(text);
  if (!read.ok) throw new ConfigError(read.problems);
  return read.keys;
}

function noteProblems(error: unknown, problems: ConfigProblem[], key?: string): undefined {
  if (!(error instanceof ConfigError)) throw error;
  problems.push(...error.problems.map((problem) => (key === undefined ? problem : below(key, problem))));
  return undefined;
}

/** A problem within a file, as one of the key that names the file. */
function below(key: string, problem: ConfigProblem): ConfigProblem {
  return { path: key, message: formatProblem(problem) };
}
