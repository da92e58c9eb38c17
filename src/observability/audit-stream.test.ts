import { describe, expect, it } from '@jest/globals';
import { FakeAuditDestination } from '../../test/fakes/fake-audit-destination.ts';
import { FakeClock, settle } from '../../test/fakes/fake-clock.ts';
import type { AuditEntry } from './audit-record.ts';
import { type AuditStreamOptions, AuditUnavailableError, createAuditStream } from './audit-stream.ts';
import { createMetrics } from './metrics.ts';

const TIMEOUT_MS = 1_000;

function start(options: Partial<AuditStreamOptions> = {}) {
  const destination = new FakeAuditDestination();
  const clock = new FakeClock();
  const metrics = createMetrics({ version: '0', processMetrics: false });
  const stream = createAuditStream({
    destination,
    clock,
    replica: 'kerbridge-0',
    metrics,
    writeTimeoutMs: TIMEOUT_MS,
    ...options,
  });
  const counts = async () => {
    const { values } = await metrics.auditLines.get();
    const happened = values.filter(({ value }) => value > 0);
    return Object.fromEntries(happened.map(({ labels, value }) => [labels.outcome, value]));
  };
  return { destination, clock, stream, counts };
}

const entry = (requestId: string, detail = ''): AuditEntry => ({ decision: 'refused', requestId, detail });

/** The outcome of a write, when it has one. */
function watch(written: Promise<void>): { outcome?: string } {
  const seen: { outcome?: string } = {};
  const follow = async (): Promise<void> => {
    try {
      await written;
      seen.outcome = 'written';
    } catch (error) {
      seen.outcome = error instanceof AuditUnavailableError ? error.failure : 'something else';
    }
  };
  void follow();
  return seen;
}

const idsIn = (text: string): unknown[] =>
  text
    .split('\n')
    .filter((line) => line.endsWith('}') && line.startsWith('{'))
    .map((line) => (JSON.parse(line) as { requestId: unknown }).requestId);

describe('what cannot be written', () => {
  it('has a series for each outcome before anything happened, so that an increase of it is seen', async () => {
    const metrics = createMetrics({ version: '0', processMetrics: false });
    createAuditStream({
      destination: new FakeAuditDestination(),
      clock: new FakeClock(),
      replica: 'r',
      metrics,
    });
    const { values } = await metrics.auditLines.get();
    const series = values.map(({ labels, value }) => `${labels.outcome} ${value}`).toSorted();
    expect(series).toEqual(['buffer-full 0', 'closed 0', 'failed 0', 'timed-out 0', 'written 0']);
  });

  it.each([['ENOSPC'], ['EIO'], ['EPIPE']])('rejects with %s and nothing of the error', async (code) => {
    const { stream, destination, counts } = start();
    destination.steps.push(code);
    const written = stream.write(entry('a'));
    await expect(written).rejects.toThrow(AuditUnavailableError);
    await expect(written).rejects.toThrow(`the audit line is not written: failed (${code})`);
    await expect(written).rejects.not.toHaveProperty('cause');
    expect(await counts()).toEqual({ failed: 1 });
  });

  it('is tried anew with the next line, opened anew', async () => {
    const { stream, destination } = start();
    destination.openings.push('EACCES');
    await expect(stream.write(entry('a'))).rejects.toThrow(AuditUnavailableError);
    expect(destination.closed).toBe(1);
    destination.steps.push('EIO');
    await expect(stream.write(entry('b'))).rejects.toThrow(AuditUnavailableError);
    await stream.write(entry('c'));
    expect(idsIn(destination.text)).toEqual(['c']);
  });

  it('leaves what was whole as written, and starts the next on a line of its own', async () => {
    const { stream, destination } = start();
    await stream.write(entry('0'));
    await settle();
    const size = destination.text.length;
    const hold = Promise.withResolvers<void>();
    destination.steps.push(hold.promise, size + 50, 'ENOSPC');
    const outcomes = ['1', 'a', 'b', 'c'].map((id) => watch(stream.write(entry(id))));
    hold.resolve();
    await settle();
    expect(outcomes.map(({ outcome }) => outcome)).toEqual(['written', 'written', 'failed', 'failed']);
    await stream.write(entry('2'));
    await stream.write(entry('3'));
    expect(idsIn(destination.text)).toEqual(['0', '1', 'a', '2', '3']);
    expect(destination.text.split('\n')).toHaveLength(7);
    expect(destination.text).not.toContain('\n\n');
  });

  it('is the rest of a line that somebody else has left', async () => {
    const { stream, destination } = start();
    destination.openings.push({ withinLine: true });
    await stream.write(entry('a'));
    await stream.write(entry('b'));
    expect(destination.text.startsWith('\n{')).toBe(true);
    expect(destination.text).not.toContain('\n\n');
  });

  it.each<[string, (destination: FakeAuditDestination, hang: Promise<undefined>) => unknown]>([
    ['writes', ({ steps }, hang) => steps.push(hang)],
    ['opens', ({ openings }, hang) => openings.push(hang)],
  ])(
    'rejects in time when the destination hangs as it %s, and takes nothing till it moves',
    async (...row) => {
      const [, hangAt] = row;
      const { stream, destination, clock, counts } = start();
      const hang = Promise.withResolvers<undefined>();
      hangAt(destination, hang.promise);
      const first = watch(stream.write(entry('first')));
      await settle();
      const waiting = watch(stream.write(entry('waiting')));
      await clock.advance(TIMEOUT_MS - 1);
      expect([first.outcome, waiting.outcome]).toEqual([undefined, undefined]);
      await clock.advance(1);
      expect([first.outcome, waiting.outcome]).toEqual(['timed-out', 'timed-out']);
      const later = Array.from({ length: 100 }, () => watch(stream.write(entry('later'))));
      await settle();
      expect(new Set(later.map(({ outcome }) => outcome))).toEqual(new Set(['timed-out']));
      expect(stream.bufferedBytes).toBeLessThan(200);
      hang.resolve(undefined);
      await settle();
      expect(stream.bufferedBytes).toBe(0);
      await stream.write(entry('next'));
      expect(idsIn(destination.text).at(-1)).toBe('next');
      expect(idsIn(destination.text)).not.toContain('waiting');
      expect(await counts()).toEqual({ 'timed-out': 102, written: 1 });
      await clock.advance(TIMEOUT_MS);
      expect(clock.sleeping).toBe(0);
    },
  );

  it('is not gone on with when its time is up in the middle', async () => {
    const { stream, destination, clock } = start();
    destination.steps.push(20, ...Array.from({ length: 1_000 }, () => 'EAGAIN'));
    const first = watch(stream.write(entry('first')));
    await clock.advance(TIMEOUT_MS);
    expect(first.outcome).toBe('timed-out');
    destination.steps.length = 0;
    await stream.write(entry('next'));
    const [half, next] = destination.text.split('\n');
    expect(half).toHaveLength(20);
    expect(JSON.parse(next ?? '')).toMatchObject({ requestId: 'next' });
  });

  it('waits for room in a pipe, for as long as a write may take', async () => {
    const { stream, destination, clock, counts } = start();
    destination.steps.push('EAGAIN', 'EAGAIN');
    const written = watch(stream.write(entry('a')));
    await clock.advance(100);
    expect(written.outcome).toBe('written');
    destination.steps.push(...Array.from({ length: 1_000 }, () => 'EAGAIN'));
    const late = watch(stream.write(entry('b')));
    await clock.advance(TIMEOUT_MS);
    expect(late.outcome).toBe('timed-out');
    expect(destination.steps.length).toBeGreaterThan(900);
    destination.steps.length = 0;
    await stream.write(entry('c'));
    expect(idsIn(destination.text)).toEqual(['a', 'c']);
    expect(await counts()).toEqual({ written: 2, 'timed-out': 1 });
  });

  it('is given up when a slow destination has let it wait for twice the time of a write', async () => {
    const { stream, destination, clock, counts } = start();
    // Each batch takes just not too long.
    const slow = (_: unknown, index: number) => clock.sleep((index + 1) * (TIMEOUT_MS - 100));
    destination.steps.push(...Array.from({ length: 100 }, slow));
    const first = watch(stream.write(entry('first')));
    await settle();
    const long = 'x'.repeat(500);
    const waiting = Array.from({ length: 100 }, (_, index) =>
      watch(stream.write(entry(`line-${index}`, long))),
    );
    await clock.advance(4 * TIMEOUT_MS);
    expect(first.outcome).toBe('written');
    const outcomes = waiting.map(({ outcome }) => outcome);
    expect(new Set(outcomes)).toEqual(new Set(['written', 'timed-out']));
    expect(outcomes.at(-1)).toBe('timed-out');
    expect(stream.bufferedBytes).toBe(0);
    expect((await counts())['timed-out']).toBeGreaterThan(50);
  });

  it('is turned away at once when too much waits', async () => {
    const { stream, destination, counts } = start({ maxBufferedBytes: 300 });
    const hold = Promise.withResolvers<void>();
    destination.steps.push(hold.promise);
    const outcomes = Array.from({ length: 10 }, (_, index) => watch(stream.write(entry(`line-${index}`))));
    await settle();
    expect(outcomes.map(({ outcome }) => outcome)).toEqual([
      undefined,
      undefined,
      ...Array.from({ length: 8 }, () => 'buffer-full'),
    ]);
    expect(stream.bufferedBytes).toBeLessThanOrEqual(300);
    hold.resolve();
    await settle();
    await stream.write(entry('next'));
    expect(idsIn(destination.text)).toEqual(['line-0', 'line-1', 'next']);
    expect(await counts()).toEqual({ 'buffer-full': 8, written: 3 });
  });
});

describe('lines', () => {
  it('are whole, in order, and say when and by whom', async () => {
    const { stream, destination, counts } = start();
    await stream.write(entry('a'));
    await stream.write(entry('b'));
    expect(destination.writes).toEqual([
      '{"audit":1,"time":"2026-01-01T00:00:00.000Z","replica":"kerbridge-0","decision":"refused","requestId":"a","detail":""}\n',
      '{"audit":1,"time":"2026-01-01T00:00:00.000Z","replica":"kerbridge-0","decision":"refused","requestId":"b","detail":""}\n',
    ]);
    expect(await counts()).toEqual({ written: 2 });
  });

  it('that come while one is written are written together, none twice, each write of whole lines', async () => {
    const { stream, destination } = start();
    const ids = Array.from({ length: 1_000 }, (_, index) => `line-${index}`);
    await Promise.all(ids.map((id) => stream.write(entry(id))));
    await settle();
    expect(idsIn(destination.text)).toEqual(ids);
    expect(destination.writes.length).toBeLessThan(40);
    for (const write of destination.writes) {
      expect(write.length).toBeLessThanOrEqual(4_096);
      expect(write.endsWith('}\n')).toBe(true);
    }
    expect(stream.bufferedBytes).toBe(0);
  });

  it('are put together of what was taken piece by piece', async () => {
    const { stream, destination, clock } = start();
    destination.steps.push(1, 7, 0, 30);
    const written = watch(stream.write(entry('a')));
    await clock.advance(100);
    expect(written.outcome).toBe('written');
    expect(destination.writes.slice(0, 4).map(({ length }) => length)).toEqual([1, 7, 0, 30]);
    expect(idsIn(destination.text)).toEqual(['a']);
  });

  it('too long for a pipe are cut, and stay JSON', async () => {
    const { stream, destination } = start();
    await stream.write({ ...entry('a'), detail: '"\\'.repeat(5_000), user: '\u0000'.repeat(5_000) });
    expect(destination.text.length).toBeLessThanOrEqual(4_000);
    expect(idsIn(destination.text)).toEqual(['a']);
  });
});

describe('probe', () => {
  it('rejects when the destination cannot be opened', async () => {
    const { stream, destination, counts } = start();
    destination.openings.push('EACCES');
    await expect(stream.probe()).rejects.toThrow('failed (EACCES)');
    expect(await counts()).toEqual({ failed: 1 });
  });

  it('rejects when the disk is full, which only a write tells', async () => {
    const { stream, destination } = start();
    destination.steps.push('ENOSPC');
    await expect(stream.probe()).rejects.toThrow('failed (ENOSPC)');
  });

  it('writes a line of its own', async () => {
    const { stream, destination } = start();
    await stream.probe();
    expect(destination.writes).toEqual([
      '{"audit":1,"time":"2026-01-01T00:00:00.000Z","replica":"kerbridge-0","decision":"self-test"}\n',
    ]);
  });
});

describe('check', () => {
  it('rejects after a write that failed until one succeeds, its own or another', async () => {
    const { stream, destination } = start();
    destination.steps.push('ENOSPC', 'ENOSPC', 'EIO');
    await expect(stream.write(entry('a'))).rejects.toThrow('ENOSPC');
    await expect(stream.check()).rejects.toThrow('failed (ENOSPC)');
    await expect(stream.check()).rejects.toThrow('failed (EIO)');
    await stream.check();
    expect(destination.writes).toHaveLength(1);
    expect(destination.text).toContain('"self-test"');
    destination.steps.push('EIO');
    await expect(stream.write(entry('b'))).rejects.toThrow('EIO');
    await stream.write(entry('c'));
    await stream.check();
    expect(destination.writes).toHaveLength(2);
  });

  it('rejects at once while the destination hangs, and writes nothing when it moves', async () => {
    const { stream, destination, clock } = start();
    const hang = Promise.withResolvers<void>();
    destination.steps.push(hang.promise);
    const written = watch(stream.write(entry('a')));
    await clock.advance(TIMEOUT_MS);
    expect(written.outcome).toBe('timed-out');
    await expect(stream.check()).rejects.toThrow('timed-out');
    hang.resolve();
    await settle();
    await stream.check();
    expect(idsIn(destination.text)).toEqual(['a']);
  });

  it('writes nothing while all is well', async () => {
    const { stream, destination } = start();
    await stream.check();
    await stream.write(entry('a'));
    await stream.check();
    expect(destination.writes).toHaveLength(1);
  });
});

describe('close', () => {
  it('writes what is there, takes no more, and closes', async () => {
    const { stream, destination, clock } = start();
    const hold = Promise.withResolvers<void>();
    destination.steps.push(hold.promise);
    const written = [watch(stream.write(entry('a'))), watch(stream.write(entry('b')))];
    const closed = stream.close();
    const late = watch(stream.write(entry('late')));
    hold.resolve();
    await closed;
    expect(written.map(({ outcome }) => outcome)).toEqual(['written', 'written']);
    expect(late.outcome).toBe('closed');
    expect(idsIn(destination.text)).toEqual(['a', 'b']);
    expect(destination.closed).toBe(1);
    expect(clock.sleeping).toBe(0);
  });

  it('does not wait for ever', async () => {
    const { stream, destination, clock } = start();
    destination.steps.push(new Promise<void>(() => undefined));
    const written = watch(stream.write(entry('a')));
    await settle();
    const waiting = watch(stream.write(entry('b')));
    const closed = watch(stream.close());
    await clock.advance(TIMEOUT_MS);
    expect(closed.outcome).toBe('written');
    expect([written.outcome, waiting.outcome]).toEqual(['timed-out', 'timed-out']);
    await expect(stream.write(entry('c'))).rejects.toThrow('closed');
  });
});
