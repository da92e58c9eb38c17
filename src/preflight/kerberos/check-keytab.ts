import { stat } from 'node:fs/promises';
import type { KeytabSource } from '../../kerberos/keytab-file.ts';
import { type Keytab, KeytabError } from '../../kerberos/keytab.ts';
import { formatPrincipal, parsePrincipal, PrincipalError } from '../../kerberos/principal.ts';
import { errorCode } from '../../observability/error-code.ts';
import type { Finding } from '../finding.ts';
import { failed, ok, warning } from '../say.ts';

export interface KeytabOptions {
  readonly cluster: string;
  readonly path: string;
  /** As configured; undefined: the keytab's first. */
  readonly principal: string | undefined;
  readonly source: KeytabSource;
  /** The permission bits of the file, symbolic links followed. */
  readonly modeOf?: (path: string) => Promise<number>;
}

export interface KeytabResult {
  readonly findings: readonly Finding[];
  /** Ours, if the keytab has it. */
  readonly principal: string | undefined;
}

const EXPORT =
  'export one (kadmin: ktadd -k FILE PRINCIPAL; Active Directory: ktpass) and mount it there, readable by the user this process runs as';

const FIXES: Readonly<Record<KeytabError['problem'], string>> = {
  missing: `There is no such file: ${EXPORT}; or correct the path`,
  unreadable:
    'Let the user this process runs as read it (chown, chmod 0400; for a Secret volume: fsGroup and defaultMode: 0440)',
  'not-a-file': 'Name the keytab file itself, not a directory or a pipe',
  'too-large': 'Name a keytab: they have some hundred bytes a key',
  'bad-magic': `The file is no keytab (a Secret may hold it in base64 twice): ${EXPORT}`,
  'old-format': `The format is that of long ago: ${EXPORT}`,
  damaged: `The file is cut or damaged (copied as text?): ${EXPORT}`,
  empty: `The file has no keys: ${EXPORT}`,
};

/** IANA's numbers. */
const ENCTYPE_NAMES: Readonly<Record<number, string>> = {
  1: 'des-cbc-crc',
  3: 'des-cbc-md5',
  16: 'des3-cbc-sha1',
  17: 'aes128-cts-hmac-sha1-96',
  18: 'aes256-cts-hmac-sha1-96',
  19: 'aes128-cts-hmac-sha256-128',
  20: 'aes256-cts-hmac-sha384-192',
  23: 'arcfour-hmac (RC4)',
  24: 'arcfour-hmac-exp (RC4)',
  25: 'camellia128-cts-cmac',
  26: 'camellia256-cts-cmac',
};
/** What MIT 1.18 and later, and domain controllers, refuse or are about to. */
const WEAK = new Set([1, 2, 3, 16, 23, 24]);

const OTHERS_MAY_READ = 0o004;

const statMode = async (path: string): Promise<number> => (await stat(path)).mode & 0o777;

/** The keytab by itself: whether the KDC still takes its keys is another check. */
export async function checkKeytab(options: KeytabOptions): Promise<KeytabResult> {
  const { cluster, path, source, modeOf = statMode } = options;
  const subject = { id: `keytab:${cluster}`, title: `Keytab ${path}` };
  let keytab: Keytab;
  try {
    keytab = await source.read();
  } catch (error) {
    if (!(error instanceof KeytabError)) throw error;
    return { findings: [failed(subject, error.message, FIXES[error.problem])], principal: undefined };
  }
  const { length } = keytab.principals;
  const readable = ok(subject, `${keytab.entries.length} key(s) of ${length} principal(s)`);
  const permissions = await checkPermissions(cluster, path, modeOf);
  const { finding, principal } = choosePrincipal(options, keytab);
  const keys = principal === undefined ? [] : [checkKeys(cluster, keytab, principal)];
  return { findings: [readable, ...permissions, finding, ...keys], principal };
}

async function checkPermissions(
  cluster: string,
  path: string,
  modeOf: (path: string) => Promise<number>,
): Promise<readonly Finding[]> {
  const subject = { id: `keytab-permissions:${cluster}`, title: `Permissions of ${path}` };
  let mode: number;
  try {
    mode = await modeOf(path);
  } catch (error) {
    const fix = 'See whether the file is just being replaced, and check again';
    return [warning(subject, `cannot be looked at (${errorCode(error)})`, fix)];
  }
  const text = `mode ${mode.toString(8).padStart(4, '0')}`;
  if ((mode & OTHERS_MAY_READ) === 0) return [ok(subject, text)];
  const fix =
    'Take it from others (chmod 0400; for a Secret volume defaultMode: 0400, or 0440 with fsGroup): whoever reads it can become every proxied user';
  return [warning(subject, `${text}: everybody on this host may read it`, fix)];
}

function choosePrincipal(
  { cluster, principal: configured }: KeytabOptions,
  { principals }: Keytab,
): { readonly finding: Finding; readonly principal: string | undefined } {
  const subject = { id: `keytab-principal:${cluster}`, title: 'Our principal in the keytab' };
  const [first = ''] = principals;
  const has = listOf(principals);
  if (configured === undefined) {
    const others = principals.length > 1 ? `; it also has ${listOf(principals.slice(1))}` : '';
    return { finding: ok(subject, `${first}, the first of the keytab${others}`), principal: first };
  }
  let wanted: string;
  try {
    wanted = formatPrincipal(parsePrincipal(configured));
  } catch (error) {
    if (!(error instanceof PrincipalError)) throw error;
    const fix = `Name one that the keytab has: ${has}`;
    return { finding: failed(subject, error.message, fix), principal: undefined };
  }
  if (principals.includes(wanted)) return { finding: ok(subject, wanted), principal: wanted };
  const sameName = principals.find((each) => each.split('@')[0] === wanted.split('@')[0]);
  const detail = `the keytab has no key of ${wanted}, only of ${has}`;
  const fix =
    sameName === undefined
      ? `Set principal of this cluster to one that the keytab has (${has}), or export ${wanted} into it (kadmin: ktadd)`
      : `The realm differs: set principal of this cluster to ${sameName}, or export ${wanted} into the keytab`;
  return { finding: failed(subject, detail, fix), principal: undefined };
}

function checkKeys(cluster: string, { entries }: Keytab, principal: string): Finding {
  const subject = { id: `keytab-keys:${cluster}`, title: `Keys of ${principal}` };
  const own = entries.filter((entry) => entry.principal === principal);
  const newest = Math.max(...own.map(({ kvno }) => kvno));
  // Of the newest version: older ones are only for tickets from before.
  const enctypes = [...new Set(own.filter(({ kvno }) => kvno === newest).map(({ enctype }) => enctype))];
  const names = enctypes.map((enctype) => ENCTYPE_NAMES[enctype] ?? `encryption type ${enctype}`).join(', ');
  const older = new Set(own.map(({ kvno }) => kvno)).size - 1;
  const detail = `version ${newest}${older > 0 ? ` (and ${older} older)` : ''}: ${names}`;
  if (enctypes.some((enctype) => !WEAK.has(enctype))) return ok(subject, detail);
  const fix = `Give the principal AES keys and export them (kadmin: cpw -randkey -e aes256-cts:normal, ktadd; Active Directory: ktpass -crypto AES256-SHA1, and AES allowed for the account)`;
  return warning(subject, `${detail}: nothing but weak encryption, which KDCs stop giving tickets for`, fix);
}

function listOf(principals: readonly string[]): string {
  const shown = principals.slice(0, 10).join(', ');
  return principals.length > 10 ? `${shown} and ${principals.length - 10} more` : shown;
}
