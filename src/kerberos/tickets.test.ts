import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import {
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { ticketsBelow, type Tickets } from './tickets.ts';

/** Of a process that has ended and was reaped. */
const GONE = spawnSync(process.execPath, ['--version']).pid;

let parent = '';
const left: Tickets[] = [];

beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'kerbridge-tickets-test-'));
});

afterEach(async () => {
  await Promise.all(left.splice(0).map((tickets) => tickets.remove()));
  await rm(parent, { recursive: true, force: true });
});

const dirOf = ({ cacheName }: Tickets): string => dirname(cacheName.slice('FILE:'.length));

/** Tickets as another process would have left them: `change` says what is different in the name of our own. */
const leave = async (change: (name: string) => string): Promise<string> => {
  const tickets = await ticketsBelow(parent)();
  left.push(tickets);
  const dir = dirOf(tickets);
  const name = change(basename(dir));
  await writeFile(join(dir, 'ccache'), 'a ticket');
  await rename(dir, join(parent, name));
  return name;
};

const ofPid =
  (pid: number) =>
  (name: string): string =>
    name.replace(`-${process.pid}-`, `-${pid}-`);

/** The pid is in use again, as 1 is in the next container. */
const startedEarlier = (name: string): string => name.replace(/-\d+-(\w{6})$/u, '-17-$1');

describe('ticketsBelow', () => {
  it('makes a directory for us alone, and another each time', async () => {
    const make = ticketsBelow(parent);
    const [one, other] = [await make(), await make()];
    expect(dirOf(one)).not.toBe(dirOf(other));
    expect((await stat(dirOf(one))).mode & 0o777).toBe(0o700);
    await one.remove();
    await one.remove();
    expect(await readdir(parent)).toEqual([basename(dirOf(other))]);
    await other.remove();
  });

  it.each([
    ['a process that is gone', ofPid(GONE)],
    ['a process that is gone, whose pid another one has now', startedEarlier],
    [
      'a process of before a restart with our pid of now',
      (name: string) => startedEarlier(ofPid(process.ppid)(name)),
    ],
  ])('removes the tickets of %s', async (_, change) => {
    await leave(change);
    const tickets = await ticketsBelow(parent)();
    expect(await readdir(parent)).toEqual([basename(dirOf(tickets))]);
    await tickets.remove();
  });

  it.each([
    ['of another initiator in this process', (name: string) => name],
    [
      'of another machine or pod',
      (name: string) => ofPid(GONE)(name).replace(/tickets-\w{8}/u, 'tickets-00000000'),
    ],
    ['whose name is not one of ours', (name: string) => ofPid(GONE)(name).replace('kerbridge', 'somebody')],
    ['whose name goes on', (name: string) => `${ofPid(GONE)(name)}.keep`],
    ['of an unknown process', (name: string) => name.replace(/tickets-\w+-\d+-\d+/u, 'tickets')],
  ])('keeps tickets %s', async (_, change) => {
    const name = await leave(change);
    await (await ticketsBelow(parent)()).remove();
    expect(await readdir(join(parent, name))).toEqual(['ccache']);
  });

  it('keeps those of another process that lives', async () => {
    const statLine = await readFile(`/proc/${process.ppid}/stat`, 'latin1');
    const startTime = statLine.slice(statLine.lastIndexOf(')') + 2).split(' ')[19] ?? '';
    const name = await leave((own) => own.replace(/-\d+-\d+-(\w{6})$/u, `-${process.ppid}-${startTime}-$1`));
    await (await ticketsBelow(parent)()).remove();
    expect(await readdir(parent)).toEqual([name]);
  });

  it('keeps a directory that others may enter, which we never make', async () => {
    const name = await leave(ofPid(GONE));
    await chmod(join(parent, name), 0o755);
    await (await ticketsBelow(parent)()).remove();
    expect(await readdir(parent)).toEqual([name]);
  });

  it("keeps another user's", async () => {
    const name = await leave(ofPid(GONE));
    const { getuid } = process;
    // Without root no file can be given away, so it is us who become somebody else.
    process.getuid = () => 4711;
    try {
      await (await ticketsBelow(parent)()).remove();
    } finally {
      if (getuid !== undefined) {
        process.getuid = getuid;
      }
    }
    expect(await readdir(parent)).toEqual([name]);
  });

  it('leaves a link alone, and what it leads to', async () => {
    const name = await leave(ofPid(GONE));
    const elsewhere = join(parent, 'elsewhere');
    await rename(join(parent, name), elsewhere);
    await symlink(elsewhere, join(parent, name));
    await (await ticketsBelow(parent)()).remove();
    expect((await readdir(parent)).sort()).toEqual(['elsewhere', name].sort());
    expect(await readdir(elsewhere)).toEqual(['ccache']);
  });

  it('leaves a file alone', async () => {
    const name = await leave(ofPid(GONE));
    await rm(join(parent, name), { recursive: true });
    await writeFile(join(parent, name), '', { mode: 0o700 });
    await (await ticketsBelow(parent)()).remove();
    expect(await readdir(parent)).toEqual([name]);
  });

  it('looks once', async () => {
    const make = ticketsBelow(parent);
    await (await make()).remove();
    const name = await leave(ofPid(GONE));
    await (await make()).remove();
    expect(await readdir(parent)).toEqual([name]);
  });
});

describe('at the exit of the process', () => {
  const listeners = (): readonly unknown[] => process.listeners('exit');

  it('one listener removes all tickets there are, and goes with the last of them', async () => {
    const before = listeners();
    const make = ticketsBelow(parent);
    const [one, other] = [await make(), await make()];
    const added = process.listeners('exit').filter((listener) => !before.includes(listener));
    expect(added).toHaveLength(1);
    await one.remove();
    expect(listeners()).toHaveLength(before.length + 1);
    await writeFile(join(dirOf(other), 'ccache'), 'a ticket');
    await mkdir(join(parent, 'not-ours'));
    for (const listener of added) {
      listener.call(process, 1);
    }
    expect(await readdir(parent)).toEqual(['not-ours']);
    await other.remove();
    expect(listeners()).toHaveLength(before.length);
  });
});
