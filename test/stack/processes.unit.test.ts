import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  findMarkedProcesses,
  identify,
  isAlive,
  isLive,
  markedPart,
  parseStat,
  processMarks,
  startDetached,
  terminate,
} from './processes.ts';

const stat = (state: string, threads = 1, name = '(java)'): string =>
  `4242 ${name} ${state} 1 4242 4242 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 ${threads} 0 987654 1 2 3`;

describe('parseStat', () => {
  it('reads state, threads and start time', () => {
    expect(parseStat(stat('S', 31))).toEqual({ state: 'S', threads: 31, startTicks: '987654' });
  });

  it('is not misled by a program name that looks like more fields', () => {
    expect(parseStat(stat('R', 1, '(a) Z 1 (b c)'))).toEqual({
      state: 'R',
      threads: 1,
      startTicks: '987654',
    });
  });

  it.each(['', '4242', '4242 (java', '4242 (java) S', `4242 (java) S ${'x '.repeat(30)}`])(
    'takes %j for none',
    (text) => {
      expect(parseStat(text)).toBeUndefined();
    },
  );
});

describe('isLive', () => {
  it.each([
    ['S', 1, true],
    ['T', 1, true],
    ['Z', 1, false],
    ['X', 1, false],
    // The first thread of a JVM that is ending; the others still hold its ports.
    ['Z', 12, true],
  ])('state %s with %d threads: %s', (state, threads, wanted) => {
    expect(isLive({ state, threads, startTicks: '1' })).toBe(wanted);
  });
});

describe('markedPart', () => {
  const environ = (...variables: string[]): string => variables.map((variable) => `${variable}\0`).join('');

  it('finds the part of this stack', () => {
    expect(markedPart(environ('A=1', 'KERBRIDGE_STACK=/s', 'KERBRIDGE_STACK_PART=kdc'), '/s')).toBe('kdc');
  });

  it.each([
    ['no mark', environ('A=1')],
    ['another stack', environ('KERBRIDGE_STACK=/s2', 'KERBRIDGE_STACK_PART=kdc')],
    ['a stack below', environ('KERBRIDGE_STACK=/s/x', 'KERBRIDGE_STACK_PART=kdc')],
    ['a mark inside another value', environ('A=KERBRIDGE_STACK=/s', 'KERBRIDGE_STACK_PART=kdc')],
    ["a developer's shell that only names the folder", environ('KERBRIDGE_STACK_DIR=/s')],
    ['no part', environ('KERBRIDGE_STACK=/s')],
    ['nothing', ''],
  ])('finds none with %s', (_, text) => {
    expect(markedPart(text, '/s')).toBeUndefined();
  });
});

describe('real processes', () => {
  let dir = '';
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'kerbridge-processes-'));
  });
  afterEach(async () => {
    await terminate(await findMarkedProcesses(dir));
    await rm(dir, { recursive: true });
  });
  const start = (script: string): ReturnType<typeof startDetached> =>
    startDetached({
      command: process.execPath,
      args: ['-e', script],
      env: processMarks(dir, 'kdc'),
      logFile: join(dir, 'logs', 'kdc.log'),
      cwd: dir,
    });

  it('knows itself', async () => {
    const self = await identify(process.pid);
    expect(self?.pid).toBe(process.pid);
    expect(self !== undefined && (await isAlive(self))).toBe(true);
  });

  it('does not take another process under the same pid, or of an earlier boot, for the one it knew', async () => {
    const self = await identify(process.pid);
    expect(self).toBeDefined();
    if (self !== undefined) {
      expect(await isAlive({ ...self, startTicks: `${self.startTicks}1` })).toBe(false);
      expect(await isAlive({ ...self, bootId: 'another' })).toBe(false);
    }
  });

  it('has no identity for a process that ended', async () => {
    const child = spawn(process.execPath, ['-e', ''], { stdio: 'ignore' });
    await once(child, 'exit');
    expect(await identify(child.pid ?? 0)).toBeUndefined();
  });

  it('finds a process by its mark alone, and ends it', async () => {
    const identity = await start('setInterval(() => {}, 1000)');
    expect(await findMarkedProcesses(dir)).toEqual([{ ...identity, part: 'kdc' }]);
    expect(await findMarkedProcesses(`${dir}-other`)).toEqual([]);
    await terminate([identity]);
    expect(await isAlive(identity)).toBe(false);
    expect(await findMarkedProcesses(dir)).toEqual([]);
  });

  it('kills a process that does not heed SIGTERM', async () => {
    const identity = await start('process.on("SIGTERM", () => {}); setInterval(() => {}, 1000)');
    await terminate([identity], { graceMs: 100 });
    expect(await isAlive(identity)).toBe(false);
  });

  it('leaves a process alone that has the pid but not the start time', async () => {
    const identity = await start('setInterval(() => {}, 1000)');
    await terminate([{ ...identity, startTicks: `${identity.startTicks}1` }], { graceMs: 100 });
    expect(await isAlive(identity)).toBe(true);
  });

  it('says which program cannot be run', async () => {
    const missing = {
      command: join(dir, 'missing'),
      args: [],
      env: {},
      logFile: join(dir, 'x.log'),
      cwd: dir,
    };
    await expect(startDetached(missing)).rejects.toThrow(`cannot run ${join(dir, 'missing')}`);
  });

  it('keeps the log of the start before', async () => {
    for (const word of ['first', 'second']) {
      const identity = await start(`console.log(${JSON.stringify(word)}); setInterval(() => {}, 1000)`);
      while (!(await readFile(join(dir, 'logs', 'kdc.log'), 'utf8')).includes(word)) {
        await new Promise(setImmediate);
      }
      await terminate([identity]);
    }
    expect(await readFile(join(dir, 'logs', 'kdc.log'), 'utf8')).toBe('second\n');
    expect(await readFile(join(dir, 'logs', 'kdc.log.1'), 'utf8')).toBe('first\n');
  });
});
