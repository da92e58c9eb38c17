import { execFileSync } from 'node:child_process';
import { closeSync, constants, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock } from '../../test/fakes/fake-clock.ts';
import { errorCode } from './error-code.ts';
import { FLUSH_TRIES, LogOutput, type LogOutputOptions, ROOM_CHECK_MS } from './log-output.ts';

/** A pipe takes it whole or not at all. */
const LINE = `${'x'.repeat(4_095)}\n`;
const BUFFERED = 10;
/** More than a pipe and the buffer of these tests hold. */
const MANY = 1_000;

let directory: string;
let path: string;
let opened: number[];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'log-output-'));
  path = join(directory, 'log');
  opened = [];
});

afterEach(async () => {
  for (const descriptor of opened) closeSync(descriptor);
  await rm(directory, { recursive: true, force: true });
});

function open(flags: number): number {
  const descriptor = openSync(path, flags, 0o600);
  opened.push(descriptor);
  return descriptor;
}

function setUp(descriptor: number, options: Partial<LogOutputOptions> = {}) {
  const clock = new FakeClock();
  const output = new LogOutput({ descriptor, clock, maxBufferedBytes: BUFFERED * LINE.length, ...options });
  let counted = 0;
  output.countDropped((lines) => {
    counted += lines;
  });
  output.reportDropped((lines) => output.write(`dropped ${lines}\n`));
  return { clock, output, counted: () => counted };
}

/** A pipe that nobody reads until `read` is called, which takes what is there. */
function pipe() {
  execFileSync('mkfifo', [path]);
  const reader = open(constants.O_RDONLY | constants.O_NONBLOCK);
  const writer = open(constants.O_WRONLY);
  const buffer = Buffer.alloc(65_536);
  const read = (): string => {
    let text = '';
    for (;;) {
      try {
        const bytes = readSync(reader, buffer);
        if (bytes === 0) return text;
        text += buffer.toString('utf8', 0, bytes);
      } catch (error) {
        if (errorCode(error) !== 'EAGAIN') throw error;
        return text;
      }
    }
  };
  return { reader, writer, read };
}

const writeMany = (output: LogOutput): void => {
  for (let line = 0; line < MANY; line += 1) output.write(LINE);
};

describe('LogOutput to a pipe', () => {
  it('writes at once while there is room, and leaves the descriptor itself as it was', async () => {
    const { writer, read } = pipe();
    const { output, clock } = setUp(writer);
    output.write('a\n');
    output.write('b\n');
    expect(read()).toBe('a\nb\n');
    expect(clock.sleeping).toBe(0);
    const flags = /flags:\s*(\d+)/.exec(await readFile(`/proc/self/fdinfo/${writer}`, 'utf8'))?.[1] ?? '';
    expect(Number.parseInt(flags, 8) & constants.O_NONBLOCK).toBe(0);
  });

  it('never waits for a reader: keeps some lines, drops and counts the others, and says so when it flows again', async () => {
    const { writer, read } = pipe();
    const { output, clock, counted } = setUp(writer);
    writeMany(output);
    const dropped = counted();
    expect(dropped).toBeGreaterThan(MANY / 2);

    const inPipe = read();
    await clock.advance(ROOM_CHECK_MS);
    expect(read()).toBe(`${LINE.repeat(BUFFERED)}dropped ${dropped}\n`);
    expect(inPipe).toBe(LINE.repeat(MANY - dropped - BUFFERED));

    output.write('after\n');
    expect(read()).toBe('after\n');
    expect(counted()).toBe(dropped);
    expect(clock.sleeping).toBe(0);
  });

  it('writes soon what may wait, together with what comes until then', async () => {
    const { writer, read } = pipe();
    const { output } = setUp(writer);
    output.writeSoon('a\n');
    output.writeSoon('b\n');
    expect(read()).toBe('');
    await Promise.resolve();
    expect(read()).toBe('a\nb\n');
    output.writeSoon('c\n');
    await Promise.resolve();
    expect(read()).toBe('c\n');
  });

  it.each([
    ['a line that is written at once', (output: LogOutput) => output.write('at once\n'), 'at once\n'],
    ['the end of the process', (output: LogOutput) => output.flush(), ''],
    ['more than a pipe takes whole', (output: LogOutput) => output.writeSoon(LINE), ''],
  ])('writes what may wait before %s', (_, end, after) => {
    const { writer, read } = pipe();
    const { output } = setUp(writer);
    output.writeSoon('a\n');
    output.writeSoon('b\n');
    end(output);
    expect(read()).toBe(`a\nb\n${after}`);
  });

  it('counts each line that is dropped of those that were written together', async () => {
    const { writer } = pipe();
    const { output, counted } = setUp(writer);
    writeMany(output);
    const dropped = counted();
    for (let line = 0; line < 7; line += 1) output.writeSoon('z\n');
    await Promise.resolve();
    expect(counted()).toBe(dropped + 7);
  });

  it('writes the rest of a line of which the pipe has taken a part', async () => {
    const { writer, read } = pipe();
    const { output, clock } = setUp(writer, { maxBufferedBytes: 10_000_000 });
    const long = `${'y'.repeat(99_999)}\n`;
    for (let line = 0; line < 30; line += 1) output.write(long);
    let text = '';
    while (clock.sleeping > 0) {
      text += read();
      await clock.advance(ROOM_CHECK_MS);
    }
    expect(text + read()).toBe(long.repeat(30));
  });

  it('takes a line that comes when room has come too, before it looks again', () => {
    const { writer, read } = pipe();
    const { output, counted } = setUp(writer);
    writeMany(output);
    const dropped = counted();
    read();
    output.write('the last words\n');
    expect(counted()).toBe(dropped);
    output.flush();
    expect(read()).toMatch(/dropped \d+\nthe last words\n$/);
  });

  it('flushes what waits when somebody reads in the end', () => {
    const { writer, read } = pipe();
    let text = '';
    let pauses = 0;
    const { output, counted } = setUp(writer, {
      pause: () => {
        pauses += 1;
        if (pauses === 3) text += read();
      },
    });
    writeMany(output);
    output.flush();
    text += read();
    expect(pauses).toBe(3);
    expect(text).toBe(`${LINE.repeat(MANY - counted())}dropped ${counted()}\n`);
  });

  it('ends a flush that nobody reads after a second', () => {
    const { writer } = pipe();
    let pausedMs = 0;
    let pauses = 0;
    const { output } = setUp(writer, {
      pause: (ms) => {
        pausedMs += ms;
        pauses += 1;
      },
    });
    writeMany(output);
    output.flush();
    expect([pauses, pausedMs]).toEqual([FLUSH_TRIES, 1_000]);
  });

  it('counts what is written to nobody, and goes on when there is a reader again', () => {
    const { reader, writer } = pipe();
    const { output, counted } = setUp(writer);
    opened.splice(opened.indexOf(reader), 1);
    closeSync(reader);
    output.write('a\n');
    output.write('b\n');
    expect(counted()).toBe(2);
    const another = open(constants.O_RDONLY | constants.O_NONBLOCK);
    output.write('c\n');
    const buffer = Buffer.alloc(100);
    expect(buffer.toString('utf8', 0, readSync(another, buffer))).toBe('c\ndropped 2\n');
  });

  it('tells of what was dropped before anybody counted', () => {
    const { writer } = pipe();
    const output = new LogOutput({ descriptor: writer, clock: new FakeClock(), maxBufferedBytes: 10 });
    output.write(LINE);
    output.write(LINE);
    const told: number[] = [];
    output.countDropped((lines) => told.push(lines));
    expect(told).toEqual([2]);
    output.write(LINE);
    expect(told).toEqual([2, 1]);
  });
});

describe('LogOutput to a file', () => {
  it('writes at once, at the offset of all who share the descriptor', async () => {
    const descriptor = open(constants.O_WRONLY | constants.O_CREAT);
    const { output, counted } = setUp(descriptor, { maxBufferedBytes: 100_000 });
    output.write('a\n');
    writeSync(descriptor, 'other\n');
    output.write('b\n');
    output.flush();
    expect(await readFile(path, 'utf8')).toBe('a\nother\nb\n');
    writeMany(output);
    expect(fstatSync(descriptor).size).toBe(10 + MANY * LINE.length);
    expect(counted()).toBe(0);
  });

  it('counts what does not fit on the disk', () => {
    path = '/dev/full';
    const { output, counted } = setUp(open(constants.O_WRONLY));
    output.write('a\n');
    output.write('b\n');
    expect(counted()).toBe(2);
    path = join(directory, 'log');
  });

  it('throws for a descriptor that is closed', () => {
    const descriptor = openSync('/dev/null', 'w');
    closeSync(descriptor);
    expect(() => setUp(descriptor)).toThrow(expect.objectContaining({ code: 'EBADF' }));
  });
});
