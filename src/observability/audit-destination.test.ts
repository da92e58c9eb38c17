import { execFileSync } from 'node:child_process';
import { closeSync, constants, openSync } from 'node:fs';
import { appendFile, mkdtemp, open, readFile, rename, rm, stat, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock } from '../../test/fakes/fake-clock.ts';
import { type AuditDestination, auditDescriptor, auditFile, ROTATION_CHECK_MS } from './audit-destination.ts';
import { errorCode } from './error-code.ts';

let directory: string;
let path: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'audit-'));
  path = join(directory, 'audit.log');
});

afterEach(() => rm(directory, { recursive: true, force: true }));

async function append(destination: AuditDestination, text: string) {
  const opened = await destination.prepare();
  await destination.write(Buffer.from(text));
  return opened;
}

const codeOf = async (asked: Promise<unknown> | undefined) => {
  try {
    await asked;
    return 'none';
  } catch (error) {
    return errorCode(error);
  }
};

/** Writes until there is no room. */
async function fill(destination: AuditDestination): Promise<string> {
  for (let write = 0; write < 1_000; write += 1) {
    const code = await codeOf(destination.write(Buffer.alloc(4_096)));
    if (code !== 'none') return code;
  }
  return 'endless';
}

describe('auditFile', () => {
  it('makes a file for its owner only, and appends to one that is there', async () => {
    const destination = auditFile(path, new FakeClock());
    expect(await append(destination, 'a\n')).toEqual({ withinLine: false });
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    await destination.close();
    await appendFile(path, 'between\n');
    expect(await append(destination, 'b\n')).toEqual({ withinLine: false });
    expect(await append(destination, 'c\n')).toBeUndefined();
    await destination.close();
    expect(await readFile(path, 'utf8')).toBe('a\nbetween\nb\nc\n');
  });

  it('takes large pieces whole where it is a file, and what POSIX says where it is a pipe', async () => {
    const destination = auditFile(path, new FakeClock());
    await destination.prepare();
    expect(destination.wholeBytes).toBe(65_536);
    await destination.close();
    const pipe = join(directory, 'pipe');
    execFileSync('mkfifo', [pipe]);
    const reader = openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK);
    const toPipe = auditFile(pipe, new FakeClock());
    await toPipe.prepare();
    expect(toPipe.wholeBytes).toBeUndefined();
    await toPipe.close();
    closeSync(reader);
  });

  it('sees half a line that somebody has left', async () => {
    await writeFile(path, 'a\n{"half');
    const destination = auditFile(path, new FakeClock());
    expect(await destination.prepare()).toEqual({ withinLine: true });
    await destination.close();
  });

  it.each<[string, () => Promise<void>]>([
    ['moved away', () => rename(path, `${path}.1`)],
    ['deleted', () => unlink(path)],
    [
      'replaced',
      async () => {
        await rename(path, `${path}.1`);
        await writeFile(path, '');
      },
    ],
  ])('goes on at its path after the file was %s, a second later at most', async (_name, rotate) => {
    const clock = new FakeClock();
    const destination = auditFile(path, clock);
    await append(destination, 'before\n');
    await rotate();
    await clock.advance(ROTATION_CHECK_MS);
    expect(await append(destination, 'after\n')).toEqual({ withinLine: false });
    await destination.close();
    expect(await readFile(path, 'utf8')).toBe('after\n');
  });

  it('looks no more often than once a second, but at once after the clock was set back', async () => {
    const clock = new FakeClock();
    const destination = auditFile(path, clock);
    await append(destination, 'a\n');
    await unlink(path);
    await clock.advance(ROTATION_CHECK_MS - 1);
    expect(await destination.prepare()).toBeUndefined();
    await clock.advance(-10 * ROTATION_CHECK_MS);
    expect(await destination.prepare()).toEqual({ withinLine: false });
    await destination.close();
  });

  it.each([
    ['a directory that is not there', () => join(directory, 'none', 'audit.log'), 'ENOENT'],
    ['a directory', () => directory, 'EISDIR'],
  ])('rejects for %s, and tries again when asked again', async (_name, where, code) => {
    const destination = auditFile(where(), new FakeClock());
    expect(await codeOf(destination.prepare())).toBe(code);
    expect(await codeOf(destination.prepare())).toBe(code);
  });

  it('rejects when the disk is full', async () => {
    const destination = auditFile('/dev/full', new FakeClock());
    expect(await codeOf(append(destination, 'a\n'))).toBe('ENOSPC');
    await destination.close();
  });

  it('never waits for a FIFO', async () => {
    execFileSync('mkfifo', [path]);
    const destination = auditFile(path, new FakeClock());
    expect(await codeOf(destination.prepare())).toBe('ENXIO');
    const reader = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    expect(await destination.prepare()).toEqual({ withinLine: false });
    expect(await fill(destination)).toBe('EAGAIN');
    await reader.close();
    expect(await fill(destination)).toBe('EPIPE');
    await destination.close();
  });
});

describe('auditDescriptor', () => {
  const withDescriptor = async (flags: number, use: (descriptor: number) => Promise<void>): Promise<void> => {
    const descriptor = openSync(path, flags, 0o600);
    try {
      await use(descriptor);
    } finally {
      closeSync(descriptor);
    }
  };

  it('never waits for a pipe that nobody reads, and leaves the descriptor itself as it was', async () => {
    execFileSync('mkfifo', [path]);
    await withDescriptor(constants.O_RDWR, async (descriptor) => {
      const destination = auditDescriptor(descriptor);
      expect(await destination.prepare()).toBeUndefined();
      expect(await fill(destination)).toBe('EAGAIN');
      await destination.close();
      const flags = await readFile(`/proc/self/fdinfo/${descriptor}`, 'utf8');
      const octal = Number.parseInt(/flags:\s*(\d+)/.exec(flags)?.[1] ?? '', 8);
      expect(octal & constants.O_NONBLOCK).toBe(0);
    });
  });

  it('writes to a file at the offset of all who share the descriptor', async () => {
    await withDescriptor(constants.O_WRONLY | constants.O_CREAT, async (descriptor) => {
      const destination = auditDescriptor(descriptor);
      await append(destination, 'audit\n');
      execFileSync('echo', ['other'], { stdio: ['ignore', descriptor, 'ignore'] });
      await append(destination, 'audit\n');
      await destination.close();
    });
    expect(await readFile(path, 'utf8')).toBe('audit\nother\naudit\n');
  });

  it('rejects for one that is closed', async () => {
    const descriptor = openSync('/dev/null', 'w');
    closeSync(descriptor);
    expect(await codeOf(auditDescriptor(descriptor).prepare())).toBe('EBADF');
  });
});
