import { readdir, readFile, stat } from 'node:fs/promises';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { errorCode } from '../observability/error-code.ts';

/** Where MIT looks when nothing else is said. */
export const DEFAULT_KRB5_CONF = '/etc/krb5.conf';

/** One `kdc` entry of a realm. */
export type KdcEntry =
  | { readonly type: 'address'; readonly host: string; readonly port: number; readonly text: string }
  /** Of a kind that only libkrb5 speaks (`https://`, MS-KKDCP), or nothing at all. */
  | { readonly type: 'other'; readonly text: string };

/** What krb5.conf says, as far as a diagnosis asks. libkrb5 reads it for itself. */
export interface Krb5Profile {
  /** In the order they are read. */
  readonly files: readonly string[];
  /** What could not be read or understood, in words; libkrb5 would take none of it then. */
  readonly problems: readonly string[];
  /** All files could be read: what else is wrong with them is our word only, and libkrb5 has the last. */
  readonly isReadable: boolean;
  readonly defaultRealm: string | undefined;
  /** Those under [realms]. */
  readonly realms: readonly string[];
  kdcsOf(realm: string): readonly KdcEntry[];
  /** `dns_lookup_kdc`: KDCs that are not listed are looked up in DNS; MIT's default is yes. */
  readonly dnsLookupKdc: boolean;
}

interface Entry {
  /** Section and subsections, then the name: `['realms', 'EXAMPLE.COM', 'kdc']`. */
  readonly path: readonly string[];
  readonly value: string;
}

const KDC_PORT = 88;
const MAX_INCLUDE_DEPTH = 10;

class ProfileReader {
  readonly files: string[] = [];
  /** What is wrong with the text of files. */
  readonly problems: string[] = [];
  readonly unreadable: { readonly path: string; readonly problem: string }[] = [];
  readonly entries: Entry[] = [];
  readonly sections: (readonly string[])[] = [];

  async read(file: string, depth = 0): Promise<void> {
    if (depth > MAX_INCLUDE_DEPTH) {
      this.problems.push(`${file} is included more than ${MAX_INCLUDE_DEPTH} files deep`);
      return;
    }
    let text: string;
    try {
      // A read of a FIFO would never end.
      if (!(await stat(file)).isFile()) {
        this.problems.push(`cannot read ${file} (not a regular file)`);
        return;
      }
      text = await readFile(file, 'utf8');
    } catch (error) {
      this.unreadable.push({ path: file, problem: `cannot read ${file} (${errorCode(error)})` });
      return;
    }
    this.files.push(file);
    await this.#parse(text, file, depth);
  }

  /** As MIT's prof_parse.c takes each line: anything goes before the first section, and braces may stay open at the end. */
  async #parse(text: string, file: string, depth: number): Promise<void> {
    let path: readonly string[] = [];
    let awaitsBrace = false;
    for (const [index, raw] of text.replace(/\n$/u, '').split('\n').entries()) {
      const line = raw.trim();
      const include = /^(include|includedir)\s+(.+)$/u.exec(raw.trimEnd());
      const section = /^\[([^\]]*)\]\*?\s*$/u.exec(line)?.[1];
      const assignment = /^([^=\s]+)\s*=\s*(.*)$/u.exec(line);
      const wrong = (what: string): void => {
        this.problems.push(`${file}:${index + 1} ${what}`);
      };
      if (include !== null) {
        await this.#include(include[1] ?? '', include[2] ?? '', file, depth);
      } else if (path.length === 0 && !raw.startsWith('[')) {
        continue;
      } else if (awaitsBrace) {
        if (!line.startsWith('{')) wrong(`is to be the { of ${path.join(' ')}`);
        awaitsBrace = false;
      } else if (line === '' || line.startsWith('#') || line.startsWith(';')) {
        continue;
      } else if (section !== undefined) {
        if (path.length > 1) wrong(`begins a section, and ${path.join(' ')} has a { without }`);
        path = [section];
      } else if (line.startsWith('}')) {
        if (path.length > 1) path = path.slice(0, -1);
        else wrong('has a } without {');
      } else if (assignment !== null && path.length > 0) {
        const [, marked = '', value = ''] = assignment;
        const name = marked.replace(/\*.*$/u, '');
        if (value === '{' || value === '') {
          awaitsBrace = value === '';
          path = [...path, name];
          this.sections.push(path);
        } else {
          this.entries.push({ path: [...path, name], value: unquoted(value) });
        }
      } else {
        wrong('is no section, no assignment and no include');
      }
    }
  }

  async #include(directive: string, target: string, file: string, depth: number): Promise<void> {
    const path = isAbsolute(target) ? target : resolve(dirname(file), target);
    if (directive === 'include') {
      await this.read(path, depth + 1);
      return;
    }
    try {
      const names = (await readdir(path)).filter((name) => /^[\w-]+$|^[^.].*\.conf$/u.test(name));
      for (const name of names.toSorted()) await this.read(join(path, name), depth + 1);
    } catch (error) {
      this.unreadable.push({ path, problem: `cannot read the directory ${path} (${errorCode(error)})` });
    }
  }
}

const unquoted = (value: string): string => /^"(.*)"$/u.exec(value)?.[1] ?? value;

/** `host`, `host:port`, `[address]` or `[address]:port`, with any path after it ignored. */
const parseKdc = (text: string): KdcEntry => {
  const groups = /^(?:\[(?<address>[\da-f:.]+)\]|(?<host>[^\s:/[\]]+))(?::(?<port>\d{1,5}))?$/iu.exec(
    text,
  )?.groups;
  const host = groups?.['address'] ?? groups?.['host'];
  const port = Number(groups?.['port'] ?? KDC_PORT);
  return host === undefined || port < 1 || port > 65_535
    ? { type: 'other', text }
    : { type: 'address', host, port, text };
};

/** MIT's profile_get_boolean. */
const isNo = (value: string | undefined): boolean => /^(?:n|no|false|nil|0|off)$/iu.test(value ?? '');

/**
 * Reads the files of a KRB5_CONFIG value, includes too, with the grammar of MIT's krb5.conf(5). Never rejects: what is
 * wrong is in `problems`, except that a file of several may be missing, as for MIT.
 */
export const readKrb5Profile = async (krb5Conf: string = DEFAULT_KRB5_CONF): Promise<Krb5Profile> => {
  const reader = new ProfileReader();
  const paths = krb5Conf.split(':').filter((path) => path !== '');
  for (const path of paths) await reader.read(path);
  const mayLack = reader.files.length > 0 && paths.length > 1;
  const unreadable = reader.unreadable
    .filter(({ path }) => !(mayLack && paths.includes(path)))
    .map(({ problem }) => problem);
  const valuesOf = (...wanted: readonly string[]): readonly string[] =>
    reader.entries
      .filter(({ path }) => path.length === wanted.length && path.every((part, at) => part === wanted[at]))
      .map(({ value }) => value);
  const realms = reader.sections.flatMap(([section, realm, ...more]) =>
    section === 'realms' && realm !== undefined && more.length === 0 ? [realm] : [],
  );
  return {
    files: reader.files,
    problems: [...unreadable, ...reader.problems],
    isReadable: unreadable.length === 0,
    defaultRealm: valuesOf('libdefaults', 'default_realm')[0],
    realms: [...new Set(realms)],
    kdcsOf: (realm) => valuesOf('realms', realm, 'kdc').map(parseKdc),
    dnsLookupKdc: !isNo(valuesOf('libdefaults', 'dns_lookup_kdc')[0]),
  };
};
