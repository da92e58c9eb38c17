import { ConfigError, type ConfigProblem } from '../../config/config-problem.ts';
import { parseIdentityRules } from '../../config/identity-rules.ts';
import { parseRevocations } from '../../config/revocations-document.ts';
import type { ServeConfig } from '../../config/serve-config.ts';
import type { WatchedFile } from '../../config/watched-file.ts';
import { compileIdentityRules, type IdentityRules } from '../../identity/identity-rules.ts';
import { parsePublicKeys } from '../../identity/stamps/read-stamp-keys.ts';
import type { StampPublicKeys } from '../../identity/stamps/stamp-keys.ts';
import type { Revocation } from '../../identity/revocations.ts';
import type { Clock } from '../../time/clock.ts';
import { type FileChange, FileFollower, noteProblems } from '../service/followed-files.ts';
import { TlsCertificate } from './tls-certificate.ts';

export type ServeFile = 'rules' | 'revocations' | 'stamp-keys' | 'tls';

export type ServeFileChange = FileChange<ServeFile>;

/** The files that are read again when they change. */
export interface ServeFiles {
  readonly rules: WatchedFile<IdentityRules> | undefined;
  readonly revocations: WatchedFile<readonly Revocation[]> | undefined;
  readonly stampKeys: WatchedFile<StampPublicKeys> | undefined;
  readonly tls: TlsCertificate | undefined;
  /** Tells `listener`, which must not throw, of each change from now on. One listener. */
  readonly follow: (listener: (change: ServeFileChange) => void) => void;
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
  const follower = new FileFollower<ServeFile>(clock, problems);
  const rules = await follower.open('rules', {
    key: 'identity.rulesFile',
    path: identity.rulesFile,
    parse: (text) => compileIdentityRules(parseIdentityRules(text)),
  });
  const revocations = await follower.open('revocations', {
    key: 'identity.revocationsFile',
    path: identity.revocationsFile,
    parse: parseRevocations,
  });
  const stampKeys = await follower.open('stamp-keys', {
    key: 'identity.stampKeysFile',
    path: identity.stampKeysFile,
    parse: parseStampKeys,
  });
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
    follow: follower.follow,
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
