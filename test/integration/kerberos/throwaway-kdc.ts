import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { freePort } from '../serve-process.ts';

const run = promisify(execFile);

export interface ThrowawayKdcOptions {
  readonly realm?: string;
  /** Longest ticket life, MIT notation. */
  readonly maxLife?: string;
  /** How far its clock is ahead of ours. */
  readonly aheadSeconds?: number;
}

/**
 * An MIT KDC of a test's own: its realm, database and port live in a temporary directory and end with `stop()`.
 * Tests that break the KDC, rotate keys or need tickets of a few seconds use this one, so that nobody else's realm suffers.
 */
export interface ThrowawayKdc {
  readonly realm: string;
  readonly port: number;
  readonly dir: string;
  /** A krb5.conf that knows this KDC only. */
  readonly krb5Conf: string;
  /** Writes another krb5.conf whose realm is served at these loopback ports, asked in this order; `more` is for [libdefaults]. */
  writeKrb5Conf(name: string, ports: readonly number[], more?: string): Promise<string>;
  /** `addprinc` options such as `+requires_preauth` come before the name. */
  addPrincipal(name: string, ...options: string[]): Promise<void>;
  deletePrincipal(name: string): Promise<void>;
  /** A new random key with the next kvno: keytabs exported before are stale. */
  rotateKey(name: string): Promise<void>;
  /** Adds the present keys of the principals to a new keytab in `dir`, in this order. */
  exportKeytab(fileName: string, ...names: string[]): Promise<string>;
  /** When it issued ticket-granting tickets to the principal so far, seconds since the epoch, from the KDC's own log. */
  ticketsIssuedAt(name: string): Promise<ReadonlySet<number>>;
  /** How often it told the principal that its key is wrong: what locks accounts. */
  preauthFailures(name: string): Promise<number>;
  /** Ends krb5kdc but keeps the realm; `listen()` starts it again on the same port. */
  hangUp(): Promise<void>;
  listen(): Promise<void>;
  stop(): Promise<void>;
}

const krb5ConfText = (realm: string, ports: readonly number[], more = ''): string => `[libdefaults]
  default_realm = ${realm}
  dns_lookup_kdc = false
  dns_lookup_realm = false
  dns_canonicalize_hostname = false
  rdns = false
  udp_preference_limit = 1
  ${more}
[realms]
  ${realm} = {
${ports.map((port) => `    kdc = 127.0.0.1:${port}`).join('\n')}
  }
[domain_realm]
  localhost = ${realm}
  .${realm.toLowerCase()} = ${realm}
`;

const untilItAccepts = async (port: number, kdc: ChildProcess): Promise<void> => {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    if (kdc.exitCode !== null) {
      throw new Error(`krb5kdc ended with code ${kdc.exitCode}`);
    }
    const accepted = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1');
      socket.once('connect', () => {
        socket.destroy();
        resolve(true);
      });
      socket.once('error', () => {
        resolve(false);
      });
    });
    if (accepted) {
      return;
    }
    await delay(25);
  }
  throw new Error(`krb5kdc does not listen on port ${port}`);
};

/** What Debian's faketime sets. Not through that program: it stays the parent, and a killed parent leaves the KDC behind. */
const otherTime = async (aheadSeconds: number): Promise<Record<string, string>> => {
  if (aheadSeconds === 0) return {};
  const { stdout } = await run('faketime', ['-f', `+${aheadSeconds}s`, 'printenv', 'LD_PRELOAD', 'FAKETIME']);
  const [preload = '', time = ''] = stdout.split('\n');
  return { LD_PRELOAD: preload, FAKETIME: time };
};

export const startThrowawayKdc = async (options: ThrowawayKdcOptions = {}): Promise<ThrowawayKdc> => {
  const realm = options.realm ?? 'THROWAWAY.TEST';
  const dir = await mkdtemp(join(tmpdir(), 'kerbridge-kdc-'));
  const port = await freePort();
  const krb5Conf = join(dir, 'krb5.conf');
  const kdcConf = join(dir, 'kdc.conf');
  await writeFile(krb5Conf, krb5ConfText(realm, [port]));
  await writeFile(
    kdcConf,
    `[kdcdefaults]
  kdc_listen = ""
  kdc_tcp_listen = 127.0.0.1:${port}
[realms]
  ${realm} = {
    database_name = ${dir}/principal
    key_stash_file = ${dir}/stash
    acl_file = ${dir}/kadm5.acl
    max_life = ${options.maxLife ?? '10h'}
    max_renewable_life = 7d
    supported_enctypes = aes256-cts:normal
  }
[logging]
  kdc = FILE:${dir}/kdc.log
`,
  );
  const env = {
    PATH: `/usr/sbin:/sbin:/usr/local/sbin:${process.env['PATH'] ?? '/usr/bin:/bin'}`,
    LC_ALL: 'C',
    KRB5_CONFIG: krb5Conf,
    KRB5_KDC_PROFILE: kdcConf,
  };
  const kadmin = async (...query: string[]): Promise<void> => {
    // kadmin.local exits with 0 after a failed query, so its words decide.
    const { stdout, stderr } = await run('kadmin.local', ['-r', realm, ...query], { env });
    if (/error|usage|while|not exist/iu.test(stderr.replaceAll(/No policy specified[^\n]*\n?/gu, ''))) {
      throw new Error(`kadmin.local ${query.join(' ')}: ${stderr}${stdout}`);
    }
  };
  await run('kdb5_util', ['create', '-s', '-r', realm, '-P', 'throwaway'], { env });

  const kdcEnv = { ...env, ...(await otherTime(options.aheadSeconds ?? 0)) };
  let kdc: ChildProcess | undefined;
  const listen = async (): Promise<void> => {
    const child = spawn('krb5kdc', ['-n', '-r', realm], { env: kdcEnv, stdio: 'ignore' });
    kdc = child;
    await untilItAccepts(port, child);
  };
  const hangUp = async (): Promise<void> => {
    const child = kdc;
    kdc = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) {
      return;
    }
    const ended = new Promise((resolve) => {
      child.once('exit', resolve);
    });
    child.kill('SIGKILL');
    await ended;
  };
  await listen();
  const askedForTgt = async (name: string): Promise<readonly string[]> => {
    const lines = (await readFile(join(dir, 'kdc.log'), 'utf8')).split('\n');
    return lines.filter(
      (line) => line.includes(' AS_REQ ') && line.includes(` ${name}@${realm} for krbtgt/`),
    );
  };

  return {
    realm,
    port,
    dir,
    krb5Conf,
    writeKrb5Conf: async (name, ports, more = '') => {
      const path = join(dir, name);
      await writeFile(path, krb5ConfText(realm, ports, more));
      return path;
    },
    addPrincipal: async (name, ...flags) => {
      await kadmin('addprinc', '-randkey', ...flags, name);
    },
    deletePrincipal: async (name) => {
      await kadmin('delprinc', '-force', name);
    },
    rotateKey: async (name) => {
      await kadmin('cpw', '-randkey', name);
    },
    exportKeytab: async (fileName, ...names) => {
      const path = join(dir, fileName);
      for (const name of names) {
        await kadmin('ktadd', '-q', '-norandkey', '-k', path, name);
      }
      return path;
    },
    ticketsIssuedAt: async (name) =>
      new Set(
        (await askedForTgt(name)).flatMap((line) => {
          const authTime = / ISSUE: authtime (?<seconds>\d+)/u.exec(line)?.groups?.['seconds'];
          return authTime === undefined ? [] : [Number(authTime)];
        }),
      ),
    preauthFailures: async (name) =>
      (await askedForTgt(name)).filter((line) => line.includes(' PREAUTH_FAILED: ')).length,
    hangUp,
    listen,
    stop: async () => {
      await hangUp();
      await rm(dir, { recursive: true, force: true });
    },
  };
};
