import { readFile, stat } from 'node:fs/promises';
import { ConfigError } from '../../config/config-problem.ts';
import { errorCode } from '../../observability/error-code.ts';
import type { Clock } from '../../time/clock.ts';
import type { Finding } from '../finding.ts';
import { failed, ok, type Subject } from '../say.ts';
import { judgeChain, judgeNames, judgeValidity } from './judge-certificates.ts';
import { readChain } from './read-chain.ts';

export interface TlsFilesOptions {
  readonly certFile: string;
  readonly keyFile: string;
  /** Throws a ConfigError if `serve` would not take them. */
  readonly parsePair: (certificates: string, key: string) => unknown;
  /** PEM that clients trust; undefined: not said. */
  readonly trusted: string | undefined;
  /** By which clients come; undefined: not said. */
  readonly host: string | undefined;
  readonly clock: Clock;
  readonly read?: (path: string) => Promise<string>;
}

export const TLS_FILES: Subject = { id: 'tls-files', title: 'Certificate and key (listen.tls)' };

const READ_FIX =
  'Let the user this process runs as read it (a Secret volume: fsGroup and defaultMode: 0440), or correct listen.tls';
const NO_FILE_FIX = 'Name a file in PEM in listen.tls: serve reads it more than once';
const PAIR_FIX = 'Put a certificate and its key there, in PEM, that were made together';

/** What `serve` would show, without a server. */
export async function checkTlsFiles(options: TlsFilesOptions): Promise<readonly Finding[]> {
  const { certFile, keyFile, parsePair, trusted, host, clock } = options;
  const read = options.read ?? ((path) => readFile(path, 'utf8'));
  const texts: string[] = [];
  const unreadable: Finding[] = [];
  for (const path of [certFile, keyFile]) {
    try {
      // A read of a FIFO would never end.
      if (options.read === undefined && !(await stat(path)).isFile()) {
        unreadable.push(failed(TLS_FILES, `cannot read ${path}: not a regular file`, NO_FILE_FIX));
        continue;
      }
      texts.push(await read(path));
    } catch (error) {
      unreadable.push(failed(TLS_FILES, `cannot read ${path}: ${errorCode(error)}`, READ_FIX));
    }
  }
  const [certificates, key] = texts;
  if (certificates === undefined || key === undefined || unreadable.length > 0) return unreadable;
  const pair = judgePair(() => parsePair(certificates, key));
  const chain = readChain(certificates);
  const [leaf] = chain;
  if (leaf === undefined) return pair;
  const title = (what: string): string => `${what} ${certFile}`;
  return [
    ...pair,
    ...judgeValidity({ id: 'tls-validity', title: title('Validity of') }, chain, clock.now()),
    ...judgeChain(
      { id: 'tls-chain', title: title('Chain of') },
      chain,
      trusted === undefined ? undefined : readChain(trusted),
    ),
    ...judgeNames({ id: 'tls-names', title: title('Names of') }, leaf, host),
  ];
}

function judgePair(parse: () => unknown): readonly Finding[] {
  try {
    parse();
    return [ok(TLS_FILES, 'they fit each other')];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map(({ path, message }) => {
      // What is wrong, and after the colon what to do.
      const at = message.indexOf(': ');
      const fix = at === -1 ? PAIR_FIX : `${message.charAt(at + 2).toUpperCase()}${message.slice(at + 3)}`;
      return failed(TLS_FILES, `${path} ${at === -1 ? message : message.slice(0, at)}`, fix);
    });
  }
}
