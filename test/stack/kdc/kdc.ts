import { randomBytes, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { digestOf } from '../cache.ts';
import { readJsonIfPresent, readTextIfPresent, writeFileAtomically } from '../files.ts';
import { ensurePart, PartFailed, stopPart } from '../parts.ts';
import type { Part, PartContext } from '../parts.ts';
import type { StackPaths } from '../paths.ts';
import { lastLines, mustRun, plainEnvironment, requireProgram, runCommand } from '../run-command.ts';
import { KdcAdmin } from './kdc-admin.ts';
import { kdcConf, keytabNames, keytabPrincipals, krb5Conf, realm, realmFiles } from './realm-files.ts';
import { messageOf } from '../errors.ts';

/** Brings up a KDC with the realm and its keytabs. Returns the realm's identity: another one means other keys. */
export async function ensureKdc(port: number, context: PartContext): Promise<string> {
  const { paths, progress } = context;
  if (!(await realmIsWhole(paths))) {
    await stopPart(paths, 'kdc');
    await createRealm(paths, port);
  }
  try {
    await ensurePart(await kdcPart(paths, port), context);
  } catch (error) {
    if (!(error instanceof PartFailed)) {
      throw error;
    }
    progress(`kdc: making the realm anew, it doesn't work: ${error.message.split('\n')[0]}`);
    await stopPart(paths, 'kdc');
    await createRealm(paths, port);
    await ensurePart(await kdcPart(paths, port), context);
  }
  return realmIdentity(paths);
}

export async function kdcPart(paths: StackPaths, port: number): Promise<Part> {
  const files = realmFiles(paths);
  const profile = kdcConf(files, port);
  const client = krb5Conf(paths, port);
  return {
    name: 'kdc',
    ports: { kdc: port },
    digest: digestOf(profile, client, await realmIdentity(paths)),
    command: requireProgram('krb5kdc', 'the Debian package krb5-kdc'),
    args: ['-n', '-r', realm],
    env: plainEnvironment({ KRB5_CONFIG: files.krb5Conf, KRB5_KDC_PROFILE: files.kdcConf }),
    startTimeoutMs: 10_000,
    prepare: () => writeRealmConfiguration(paths, port),
    probe: () => probeKdc(paths),
    // A test may have rotated keys and left the old keytabs.
    mend: () => exportKeytabs(paths),
  };
}

const realmRecord = z.object({ id: z.string(), contents: z.string() });

/** Empty when there is no realm. */
async function realmIdentity(paths: StackPaths): Promise<string> {
  return realmRecord.safeParse(await readJsonIfPresent(realmFiles(paths).identity)).data?.id ?? '';
}

/** Changes when this program wants other principals than it made. */
const wantedContents = digestOf(realm, JSON.stringify(keytabPrincipals));

async function realmIsWhole(paths: StackPaths): Promise<boolean> {
  const files = realmFiles(paths);
  const record = realmRecord.safeParse(await readJsonIfPresent(files.identity)).data;
  return (
    record?.contents === wantedContents &&
    [files.database, files.stash, ...Object.values(files.keytabs)].every((file) => existsSync(file))
  );
}

async function createRealm(paths: StackPaths, port: number): Promise<void> {
  const files = realmFiles(paths);
  await rm(paths.kdc, { recursive: true, force: true });
  await mkdir(dirname(files.database), { recursive: true, mode: 0o700 });
  await writeRealmConfiguration(paths, port);
  const env = plainEnvironment({ KRB5_CONFIG: files.krb5Conf, KRB5_KDC_PROFILE: files.kdcConf });
  const kdb5Util = requireProgram('kdb5_util', 'the Debian package krb5-kdc');
  // The master key: never needed again, the stash file has it.
  const password = randomBytes(24).toString('hex');
  await mustRun(kdb5Util, ['create', '-r', realm, '-s'], {
    env,
    input: `${password}\n${password}\n`,
    timeoutMs: 60_000,
  });
  const admin = new KdcAdmin(files);
  for (const name of keytabNames) {
    for (const principal of keytabPrincipals[name]) {
      await admin.addPrincipal(principal);
    }
  }
  await exportKeytabs(paths);
  // Last: a realm without it is not whole, and is made anew.
  await writeFileAtomically(
    files.identity,
    `${JSON.stringify({ id: randomUUID(), contents: wantedContents })}\n`,
  );
}

async function exportKeytabs(paths: StackPaths): Promise<void> {
  const files = realmFiles(paths);
  const admin = new KdcAdmin(files);
  for (const name of keytabNames) {
    await admin.exportKeytab(keytabPrincipals[name], files.keytabs[name]);
  }
}

async function writeRealmConfiguration(paths: StackPaths, port: number): Promise<void> {
  const files = realmFiles(paths);
  await writeFileAtomically(files.krb5Conf, krb5Conf(paths, port));
  await writeFileAtomically(files.kdcConf, kdcConf(files, port));
  await writeFileAtomically(files.acl, '# kadmin.local needs no rights, and no kadmind runs\n');
}

/** A ticket for every user's keytab would be slow; ours and the servers' show that KDC, database and keytabs agree. */
export async function probeKdc(paths: StackPaths): Promise<string | undefined> {
  const files = realmFiles(paths);
  const folder = await mkdtemp(join(tmpdir(), 'kerbridge-probe-'));
  const env = plainEnvironment({ KRB5_CONFIG: files.krb5Conf, KRB5CCNAME: `FILE:${join(folder, 'ccache')}` });
  try {
    for (const [program, args] of [
      ['kinit', ['-k', '-t', files.keytabs.kerbridge, 'kerbridge']],
      ['kvno', ['-q', '-k', files.keytabs.hdfs, 'HTTP/localhost', 'hdfs/localhost']],
    ] as const) {
      const command = requireProgram(program, 'the Debian package krb5-user');
      const result = await runCommand(command, args, { env, timeoutMs: 15_000 });
      if (result.exitCode !== 0) {
        return `${program}: ${lastLines(result.stderr, 1)}`;
      }
    }
    return undefined;
  } catch (error) {
    return messageOf(error);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** What a server that reads krb5.conf and the keytabs at its start depends on. */
export async function realmDigest(paths: StackPaths): Promise<string> {
  return digestOf(await realmIdentity(paths), (await readTextIfPresent(realmFiles(paths).krb5Conf)) ?? '');
}
