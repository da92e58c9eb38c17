import { chmod, mkdir, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { lastLines, plainEnvironment, requireProgram, runCommand } from '../run-command.ts';
import { realm } from './realm-files.ts';

export interface KdcAdminOptions {
  readonly krb5Conf: string;
  readonly kdcConf: string;
}

/** Principals contain no blanks or quotes here, and kadmin.local would take them apart. */
const principalPattern = /^[A-Za-z0-9._/@$-]+$/;

/** Changes the realm of a stack through kadmin.local, with the stack's own files. The KDC sees each change at once. */
export class KdcAdmin {
  readonly #environment: Record<string, string>;

  constructor({ krb5Conf, kdcConf }: KdcAdminOptions) {
    this.#environment = plainEnvironment({ KRB5_CONFIG: krb5Conf, KRB5_KDC_PROFILE: kdcConf });
  }

  /** Adds a principal with random keys, and writes them to `keytab` if asked. */
  async addPrincipal(principal: string, { keytab }: { readonly keytab?: string } = {}): Promise<void> {
    await this.#query(`addprinc -randkey ${checked(principal)}`);
    if (keytab !== undefined) {
      await this.exportKeytab([principal], keytab);
    }
  }

  async deletePrincipal(principal: string): Promise<void> {
    await this.#query(`delprinc -force ${checked(principal)}`);
  }

  /** Gives a principal new keys; keytabs written before are stale from now on. Returns the new key version number. */
  async rotateKey(principal: string): Promise<number> {
    await this.#query(`cpw -randkey ${checked(principal)}`);
    return this.keyVersion(principal);
  }

  /** The highest key version number (kvno) of a principal. */
  async keyVersion(principal: string): Promise<number> {
    const said = await this.#query(`getprinc ${checked(principal)}`);
    const versions = [...said.matchAll(/^Key: vno ([0-9]+)/gm)].map((match) => Number(match[1]));
    return Math.max(0, ...versions);
  }

  /** Longest life of the tickets a principal gets from now on (of a service too: the shorter life counts). */
  async setMaximumTicketLife(principal: string, seconds: number): Promise<void> {
    await this.#query(`modprinc -maxlife ${seconds}seconds ${checked(principal)}`);
  }

  /** Writes the present keys of the principals into a file of mode 0600, replacing it in one step. */
  async exportKeytab(principals: readonly string[], file: string): Promise<void> {
    const temporary = `${file}.new`;
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    await rm(temporary, { force: true });
    await this.#query(`ktadd -norandkey -k ${temporary} ${principals.map(checked).join(' ')}`);
    await chmod(temporary, 0o600);
    await rename(temporary, file);
  }

  async #query(query: string): Promise<string> {
    const kadmin = requireProgram('kadmin.local', 'the Debian package krb5-admin-server');
    const result = await runCommand(kadmin, ['-r', realm, '-q', query], {
      env: this.#environment,
      timeoutMs: 30_000,
    });
    // kadmin.local ends with 0 whatever became of the query; what went wrong it says on stderr, as "command: reason".
    const complaint = result.stderr
      .split('\n')
      .find((line) =>
        /^(add_principal|delete_principal|change_password|get_principal|modify_principal|kadmin\S*): /.test(
          line,
        ),
      );
    if (result.exitCode !== 0 || complaint !== undefined) {
      throw new Error(`kadmin.local ${query.split(' ')[0]}: ${complaint ?? lastLines(result.stderr, 3)}`);
    }
    return result.stdout;
  }
}

function checked(principal: string): string {
  if (!principalPattern.test(principal) || principal.startsWith('-')) {
    throw new Error(`not a principal: ${JSON.stringify(principal)}`);
  }
  return principal;
}
