import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { lstat, mkdir, readdir, readFile, rm, stat, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hdfsCredentialsFile } from '../../fakes/credentials-file.ts';
import { HttpServers } from '../../fakes/http-servers.ts';
import { temporaryFolder } from '../hadoop/hdfs-token-service.ts';
import { waitFor } from '../serve-process.ts';
import { endAllFetches, type FetchProcess, startFetch } from './fetch-process.ts';

/** A mount namespace of our own, whose mounts end with it. Without root it is one of a user namespace too. */
const UNSHARE = process.getuid?.() === 0 ? ['unshare', '--mount'] : ['unshare', '--map-root-user', '--mount'];

const NEVER = 9_223_372_036_854_775_807n;
const whole = (sequenceNumber: number) => hdfsCredentialsFile([{ maxDate: NEVER, sequenceNumber }]);
const NEW = whole(2);

const servers = new HttpServers();
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let volume: string;
let output: string;
let copy: string;
let args: string[];
let answers: Buffer[];

beforeEach(async () => {
  folder = await temporaryFolder();
  volume = join(folder.path, 'volume');
  output = join(volume, 'hadoop.token');
  copy = join(folder.path, 'copies', 'copy');
  await mkdir(volume);
  await mkdir(join(folder.path, 'copies'));
  await writeFile(copy, 'old copy');
  await writeFile(join(folder.path, 'sa'), 'a.b.c');
  answers = [NEW];
  const url = await servers.http((_request, response) => {
    const body = answers.length > 1 ? answers.shift() : answers[0];
    response
      .writeHead(200, { 'Content-Type': 'application/octet-stream', 'Kerbridge-Refresh-After': '1' })
      .end(body);
  });
  args = [
    ...['--url', url.href, '--service-account-token-file', join(folder.path, 'sa'), '--deadline', '0'],
    ...['--output', output],
  ];
});

afterEach(async () => {
  await endAllFetches();
  servers.close();
  await folder[Symbol.asyncDispose]();
});

/** `mounts` runs in the namespace before fetch does; a mount that is not allowed fails the test. */
function fetchWith(mounts: string, more: readonly string[] = []): FetchProcess {
  const before = [...UNSHARE, 'sh', '-euc', `cd "$1"; shift; ${mounts}\nexec "$@"`, 'sh', folder.path];
  return startFetch([...args, ...more], { before });
}

/** What the process sees at a path. */
const seenBy = ({ pid }: FetchProcess, path: string) => join('/proc', String(pid), 'root', path);

/** After fetch has ended nobody sees its mounts: the script says what was there. */
async function fetchAndLook(mounts: string, more: readonly string[] = []) {
  const look =
    'code=$?; set +e; echo "files: $(cd volume && ls -A | tr "\\n" " ")" >&2; sha256sum volume/hadoop.token >&2; exit $code';
  const before = [
    ...UNSHARE,
    'sh',
    '-uc',
    `cd "$1"; shift; { ${mounts}\n} || exit 99; "$@"; ${look}`,
    'sh',
    folder.path,
  ];
  const started = startFetch([...args, ...more], { before });
  const { exitCode, stderr } = await started.ended;
  if (exitCode === 99) throw new Error(`this needs root, or user namespaces: ${stderr}`);
  return { exitCode, stderr };
}

const OLD_SHA256 = execFileSync('sh', ['-c', 'printf old | sha256sum'], { encoding: 'utf8' }).slice(0, 64);
const TMPFS = 'mount -t tmpfs -o size=64k,nr_inodes=20 tmpfs volume && printf old >volume/hadoop.token';

describe('a volume that takes no file', () => {
  it.each([
    [
      'is full',
      `${TMPFS} && { cat /dev/zero >volume/fill 2>/dev/null; :; }`,
      'ENOSPC: the volume is full',
      'fill ',
    ],
    [
      'has no inode left',
      `${TMPFS} && mkdir volume/d && { for i in $(seq 30); do touch volume/d/$i; done 2>/dev/null; :; }`,
      'ENOSPC: the volume is full',
      'd ',
    ],
    [
      'is read-only',
      `${TMPFS} && mount -o remount,ro volume`,
      'EROFS: the volume is read-only; mount an',
      '',
    ],
  ])('because it %s: code 5, and all old files are whole', async (_name, mounts, reason, others) => {
    const run = await fetchAndLook(mounts, ['--copy', copy]);
    expect(run.stderr).toContain(`cannot write ${output}: ${reason}`);
    expect(run.stderr).toContain(`files: ${others}hadoop.token \n`);
    expect(run.stderr).toContain(OLD_SHA256);
    expect(run.exitCode).toBe(5);
    expect(await readFile(copy, 'utf8')).toBe('old copy');
    expect(await readdir(join(folder.path, 'copies'))).toEqual(['copy']);
  });

  it('takes one that fits', async () => {
    const run = await fetchAndLook(TMPFS, ['--copy', copy]);
    expect(run.exitCode).toBe(0);
    expect(await readFile(copy)).toEqual(NEW);
    expect(run.stderr).not.toContain(OLD_SHA256);
  });

  it('because the copy is on a full one: the file is not replaced either', async () => {
    await writeFile(output, 'old');
    const run = await fetchWith(
      'mount -t tmpfs -o size=64k tmpfs copies\ncat /dev/zero >copies/fill 2>/dev/null || :',
      ['--copy', copy],
    ).ended;
    expect(run).toMatchObject({
      exitCode: 5,
      stderr: expect.stringContaining(`cannot write ${copy}: ENOSPC`),
    });
    expect(await readFile(output, 'utf8')).toBe('old');
    expect(await readdir(volume)).toEqual(['hadoop.token']);
  });
});

describe('a place that shows only at the end that it can not be replaced', () => {
  it('a file that is a mount of its own: the copies are put back', async () => {
    await writeFile(output, 'old');
    const later = join(folder.path, 'copies', 'was-not-there');
    const run = await fetchWith('mount --bind volume/hadoop.token volume/hadoop.token', [
      '--copy',
      copy,
      '--copy',
      later,
    ]).ended;
    expect(run).toMatchObject({
      exitCode: 5,
      stderr: expect.stringContaining(
        `cannot write ${output}: EBUSY: a volume is mounted on the file itself (subPath)`,
      ),
    });
    expect(await readFile(output, 'utf8')).toBe('old');
    expect(await readFile(copy, 'utf8')).toBe('old copy');
    expect(await readdir(join(folder.path, 'copies'))).toEqual(['copy']);
    expect(await readdir(volume)).toEqual(['hadoop.token']);
  });

  it("another user's file in a sticky folder", async () => {
    // For root it is no obstacle, unless the capability is taken away.
    execFileSync(
      'sh',
      ['-euc', 'chown 4242:4242 .; chmod 1777 .; printf old >hadoop.token; chown 4242 hadoop.token'],
      { cwd: volume },
    );
    const run = await startFetch([...args, '--copy', copy], {
      before: ['setpriv', '--bounding-set', '-fowner', '--'],
    }).ended;
    expect(run).toMatchObject({
      exitCode: 5,
      stderr: expect.stringContaining(`cannot write ${output}: EPERM`),
    });
    expect(await readFile(copy, 'utf8')).toBe('old copy');
    expect(await readdir(volume)).toEqual(['hadoop.token']);
  });
});

describe('--group', () => {
  it('gives the files to it, whatever the folder says', async () => {
    execFileSync('sh', ['-euc', 'chgrp 4243 .; chmod 2775 .'], { cwd: volume });
    const run = await startFetch([...args, '--group', '4242', '--mode', '0640', '--copy', copy]).ended;
    expect(run.exitCode).toBe(0);
    for (const path of [output, copy]) {
      const { gid, mode } = await stat(path);
      expect([gid, mode & 0o7777]).toEqual([4242, 0o640]);
    }
  });

  it('of which we are no member: code 5 and nothing is left', async () => {
    await writeFile(output, 'old');
    const before = ['setpriv', '--bounding-set', '-chown', '--'];
    const run = await startFetch([...args, '--group', '4242', '--copy', copy], { before }).ended;
    expect(run).toMatchObject({
      exitCode: 5,
      stderr: expect.stringContaining(
        "EPERM: can't be given to group 4242; add it to supplementalGroups of the pod",
      ),
    });
    expect(await readFile(output, 'utf8')).toBe('old');
    expect(await readdir(volume)).toEqual(['hadoop.token']);
  });
});

describe('the place itself', () => {
  it.each([
    ['a folder', 'mkdir hadoop.token', 'EISDIR'],
    ['a FIFO', 'mkfifo hadoop.token', 'EEXIST'],
    ['a device', 'mknod hadoop.token c 1 3', 'EEXIST'],
  ])('%s there is left alone', async (_name, command, code) => {
    execFileSync('sh', ['-euc', command], { cwd: volume });
    const before = await lstat(output);
    const run = await startFetch([...args, '--copy', copy]).ended;
    expect(run).toMatchObject({
      exitCode: 5,
      stderr: expect.stringContaining(`cannot write ${output}: ${code}`),
    });
    const after = await lstat(output);
    expect([after.ino, after.mode, after.mtimeMs]).toEqual([before.ino, before.mode, before.mtimeMs]);
    expect(await readFile(copy, 'utf8')).toBe('old copy');
  });

  it.each([
    ['to a file', 'printf precious >../target'],
    ['to a device', 'mknod ../target c 1 3'],
    ['to a folder', 'mkdir ../target'],
    ['to nothing', ':'],
  ])('a symlink %s is replaced, not followed', async (_name, command) => {
    execFileSync('sh', ['-euc', `${command}; ln -s ../target hadoop.token`], { cwd: volume });
    const target = join(folder.path, 'target');
    const before = await lstat(target).catch(() => undefined);
    expect((await startFetch(args).ended).exitCode).toBe(0);
    expect((await lstat(output)).isFile()).toBe(true);
    expect(await readFile(output)).toEqual(NEW);
    const after = await lstat(target).catch(() => undefined);
    expect([after?.ino, after?.mtimeMs]).toEqual([before?.ino, before?.mtimeMs]);
    await rm(target, { recursive: true, force: true });
  });
});

it('a watcher on a volume that fills up keeps the old file, and goes on when there is room', async () => {
  const watcher = fetchWith('mount -t tmpfs -o size=64k tmpfs volume', ['--watch']);
  await watcher.hear(/written to/);
  const [file, fill] = [seenBy(watcher, output), seenBy(watcher, join(volume, 'fill'))];
  await waitFor(async () => (await readdir(seenBy(watcher, volume))).includes('hadoop.token.status'));
  execFileSync('sh', ['-c', `cat /dev/zero >"$0" 2>/dev/null; :`, fill]);
  answers = [whole(3)];
  await watcher.hear(/cannot write .*hadoop\.token: ENOSPC: the volume is full; next try in/);
  expect(await readFile(file)).toEqual(NEW);
  await unlink(fill);
  await waitFor(async () => (await readFile(file)).equals(whole(3)));
  await waitFor(async () => (await readFile(`${file}.status`, 'utf8')).startsWith('state=ok\n'));
  expect((await readdir(seenBy(watcher, volume))).toSorted()).toEqual([
    'hadoop.token',
    'hadoop.token.status',
  ]);
  expect(await watcher.stop()).toMatchObject({ exitCode: 0 });
});
