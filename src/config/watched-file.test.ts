import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock, settle } from '../../test/fakes/fake-clock.ts';
import { ConfigError, type ConfigProblem } from './config-problem.ts';
import { type FileAccess, MAX_WATCHED_FILE_BYTES, WatchedFile } from './watched-file.ts';

const PATH = '/etc/kerbridge/rules.yaml';

/** Takes `good…`; refuses everything else with two problems. */
const parse = (text: string): string => {
  if (text.startsWith('good')) return text;
  throw new ConfigError([
    { path: 'a', message: 'is required' },
    { path: 'b', message: 'unknown key' },
  ]);
};

/** Files in memory whose fingerprint changes with every write, unless a test keeps it. */
class FakeFiles implements FileAccess {
  readonly #files = new Map<string, { content: string | Uint8Array; version: number }>();
  #versions = 0;
  reads = 0;
  onRead: () => void = () => undefined;

  write(path: string, content: string | Uint8Array, options: { keepFingerprint?: boolean } = {}): void {
    const version = this.#files.get(path)?.version ?? 0;
    this.#versions += 1;
    this.#files.set(path, { content, version: options.keepFingerprint === true ? version : this.#versions });
  }

  remove(path: string): void {
    this.#files.delete(path);
  }

  readonly fingerprint = async (path: string): Promise<string> =>
    Promise.resolve(`${this.#at(path).version}`);

  readonly read = async (path: string, maxBytes: number): Promise<Uint8Array> => {
    this.reads += 1;
    const { content } = this.#at(path);
    const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content;
    this.onRead();
    if (bytes.length > maxBytes) throw Object.assign(new Error('secret'), { code: 'EFBIG' });
    return Promise.resolve(bytes);
  };

  #at(path: string): { content: string | Uint8Array; version: number } {
    const file = this.#files.get(path);
    if (file === undefined) throw Object.assign(new Error('secret'), { code: 'ENOENT' });
    return file;
  }
}

interface Report {
  readonly outcome: string;
  readonly problems: readonly ConfigProblem[];
}

async function watch(content: string | Uint8Array = 'good 1') {
  const clock = new FakeClock();
  const files = new FakeFiles();
  files.write(PATH, content);
  const reports: Report[] = [];
  const onChange = (outcome: string, problems: readonly ConfigProblem[]): void => {
    reports.push({ outcome, problems });
  };
  const file = await WatchedFile.open({ path: PATH, parse, clock, onChange, files });
  return { clock, files, file, reports };
}

const kept = (...messages: string[]) => ({
  outcome: 'kept',
  problems: messages.map((message) => expect.objectContaining({ message }) as unknown),
});

const problemsOf = async (opening: Promise<unknown>): Promise<readonly ConfigProblem[]> => {
  const error: unknown = await opening.catch((reason: unknown) => reason);
  if (!(error instanceof ConfigError)) throw new Error('no ConfigError', { cause: error });
  return error.problems;
};

describe('WatchedFile.open', () => {
  it('rejects with all problems of the text', async () => {
    expect(await problemsOf(watch('bad'))).toEqual([
      { path: 'a', message: 'is required' },
      { path: 'b', message: 'unknown key' },
    ]);
  });

  it.each<[string, string | Uint8Array, RegExp]>([
    ['too large', 'x'.repeat(MAX_WATCHED_FILE_BYTES + 1), /^\S+rules\.yaml is larger than 1048576 bytes$/],
    ['not UTF-8', Uint8Array.of(0x67, 0xff), /^\S+rules\.yaml is not a text in UTF-8$/],
  ])('rejects for a file that is %s', async (_, content, message) => {
    expect(await problemsOf(watch(content))).toEqual([
      { path: '', message: expect.stringMatching(message) as unknown },
    ]);
  });

  it('names every file of a group that is missing, and nothing of the error but its code', async () => {
    const files = new FakeFiles();
    const opening = WatchedFile.openGroup({
      paths: ['/tls.crt', '/tls.key'],
      parse: () => 1,
      clock: new FakeClock(),
      files,
    });
    expect(await problemsOf(opening)).toEqual([
      { path: '', message: 'cannot read /tls.crt: ENOENT' },
      { path: '', message: 'cannot read /tls.key: ENOENT' },
    ]);
  });

  it('shows nothing of an error of another kind', async () => {
    const files = new FakeFiles();
    files.write(PATH, 'hunter2');
    const opening = WatchedFile.open({
      path: PATH,
      parse: (text): never => {
        throw new SyntaxError(`unexpected ${text}`);
      },
      clock: new FakeClock(),
      files,
    });
    expect(await problemsOf(opening)).toEqual([{ path: '', message: 'cannot be understood' }]);
  });

  it('has the value, and when it was read', async () => {
    const { clock, file, reports } = await watch();
    expect(file.current).toBe('good 1');
    expect(file.state()).toEqual({ loadedAt: clock.now(), ok: true });
    expect(reports).toEqual([]);
  });
});

describe('WatchedFile', () => {
  it.each<[string, (files: FakeFiles) => void, unknown]>([
    ['says something wrong', (files) => files.write(PATH, 'bad'), kept('is required', 'unknown key')],
    ['is empty', (files) => files.write(PATH, ''), kept('is required', 'unknown key')],
    ['is missing', (files) => files.remove(PATH), kept(`cannot read ${PATH}: ENOENT`)],
    [
      'is too large',
      (files) => files.write(PATH, `good${' '.repeat(MAX_WATCHED_FILE_BYTES)}`),
      kept(`${PATH} is larger than 1048576 bytes`),
    ],
    [
      'is not UTF-8',
      (files) => files.write(PATH, Uint8Array.of(0xc0)),
      kept(`${PATH} is not a text in UTF-8`),
    ],
  ])('keeps the last good value while the file %s, and says so once', async (_, change, report) => {
    const { clock, files, file, reports } = await watch();
    const loadedAt = clock.now();
    change(files);
    await clock.advance(2_000);
    expect(reports).toEqual([report]);
    expect(file.current).toBe('good 1');
    expect(file.state()).toEqual({ loadedAt, ok: false });
    await clock.advance(120_000);
    expect(reports).toHaveLength(1);
  });

  it('says what is wrong again when something else is', async () => {
    const { clock, files, reports } = await watch();
    files.write(PATH, 'bad 1');
    await clock.advance(2_000);
    files.write(PATH, 'bad 2');
    await clock.advance(2_000);
    expect(reports.map(({ outcome }) => outcome)).toEqual(['kept', 'kept']);
  });

  it('takes a new value within 2 s', async () => {
    const { clock, files, file, reports } = await watch();
    files.write(PATH, 'good 2');
    await clock.advance(2_000);
    expect(file.current).toBe('good 2');
    expect(file.state()).toEqual({ loadedAt: clock.now() - 750, ok: true });
    expect(reports).toEqual([{ outcome: 'reloaded', problems: [] }]);
  });

  it.each(['good 1', 'good 2'])('is in order again when the file says %s', async (content) => {
    const { clock, files, file, reports } = await watch();
    files.remove(PATH);
    await clock.advance(2_000);
    files.write(PATH, content);
    await clock.advance(2_000);
    expect(reports.map(({ outcome }) => outcome)).toEqual(['kept', 'reloaded']);
    expect(file.current).toBe(content);
    expect(file.state()).toMatchObject({ ok: true });
  });

  it('reads nothing while nothing changes, but every 30 s all the same', async () => {
    const { clock, files, file } = await watch();
    await clock.advance(29_500);
    expect(files.reads).toBe(1);
    files.write(PATH, 'good 2', { keepFingerprint: true });
    await clock.advance(2_000);
    expect(files.reads).toBe(2);
    expect(file.current).toBe('good 2');
  });

  it('says nothing of a file that was only touched', async () => {
    const { clock, files, file, reports } = await watch();
    files.write(PATH, 'good 1');
    await clock.advance(2_000);
    expect(files.reads).toBe(2);
    expect(reports).toEqual([]);
    expect(file.state()).toMatchObject({ ok: true });
  });

  it('does not take what is still being written', async () => {
    const { clock, files, file, reports } = await watch();
    files.write(PATH, 'good half');
    await clock.advance(1_100);
    files.write(PATH, 'good whole');
    await clock.advance(200);
    expect([file.current, reports]).toEqual(['good 1', []]);
    await clock.advance(1_200);
    expect([file.current, reports.length]).toEqual(['good whole', 1]);
  });

  it('does not take what is written while it is read', async () => {
    const { clock, files, file } = await watch();
    files.write(PATH, 'good half');
    files.onRead = () => files.write(PATH, 'good whole');
    await clock.advance(1_300);
    expect(file.current).toBe('good 1');
    files.onRead = () => undefined;
    await clock.advance(1_300);
    expect(file.current).toBe('good whole');
  });

  it('goes on after a report that throws', async () => {
    const clock = new FakeClock();
    const files = new FakeFiles();
    files.write(PATH, 'good 1');
    const onChange = (): never => {
      throw new Error('report failed');
    };
    const file = await WatchedFile.open({ path: PATH, parse, clock, onChange, files });
    for (const content of ['good 2', 'bad', 'good 3']) {
      files.write(PATH, content);
      await clock.advance(2_000);
    }
    expect(file.current).toBe('good 3');
  });

  it('takes another interval', async () => {
    const clock = new FakeClock();
    const files = new FakeFiles();
    files.write(PATH, 'good 1');
    const file = await WatchedFile.open({ path: PATH, parse, clock, intervalMs: 10_000, files });
    files.write(PATH, 'good 2');
    await clock.advance(9_000);
    expect(file.current).toBe('good 1');
    await clock.advance(2_000);
    expect(file.current).toBe('good 2');
  });

  it.each([0, 1_100])('changes nothing after stop() at %d ms', async (ms) => {
    const { clock, files, file, reports } = await watch();
    files.write(PATH, 'good 2');
    await clock.advance(ms);
    file.stop();
    await clock.advance(60_000);
    expect(clock.sleeping).toBe(0);
    expect([file.current, reports]).toEqual(['good 1', []]);
  });

  it('takes the files of a group together or not at all', async () => {
    const clock = new FakeClock();
    const files = new FakeFiles();
    const reports: Report[] = [];
    const write = (path: string, content: string): void => files.write(path, content);
    write('/tls.crt', 'pair 1');
    write('/tls.key', 'pair 1');
    const file = await WatchedFile.openGroup({
      paths: ['/tls.crt', '/tls.key'],
      parse: ([cert, key]) => {
        if (cert !== key) throw new ConfigError([{ path: '', message: 'do not fit' }]);
        return cert;
      },
      clock,
      onChange: (outcome, problems) => reports.push({ outcome, problems }),
      files,
    });
    write('/tls.crt', 'pair 2');
    await clock.advance(2_000);
    expect([file.current, reports]).toEqual(['pair 1', [kept('do not fit')]]);
    write('/tls.key', 'pair 2');
    await clock.advance(2_000);
    expect(file.current).toBe('pair 2');
    expect(file.state()).toMatchObject({ ok: true });
  });
});

describe('WatchedFile on real files', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'watched-file-'));
  });
  afterEach(async () => {
    await rm(directory, { recursive: true });
  });

  /** Real I/O takes turns of the event loop that a fake clock doesn't wait for; the ceiling only ends a failed test. */
  async function look(clock: FakeClock, done: () => boolean): Promise<void> {
    for (let turn = 0; turn < 50_000 && !done(); turn += 1) {
      if (clock.sleeping > 0) await clock.advance(250);
      await settle();
    }
    expect(done()).toBe(true);
  }

  it('follows the `..data` link of a Kubernetes volume, a file replaced, written in place, removed', async () => {
    const clock = new FakeClock();
    const at = (name: string): string => join(directory, name);
    for (const version of ['..v1', '..v2']) {
      await mkdir(at(version));
      // Equal in size.
      await writeFile(join(at(version), 'rules.yaml'), `good ${version}`);
    }
    await symlink('..v1', at('..data'));
    await symlink('..data/rules.yaml', at('rules.yaml'));
    const reports: string[] = [];
    const file = await WatchedFile.open({
      path: at('rules.yaml'),
      parse,
      clock,
      onChange: (outcome) => reports.push(outcome),
    });
    expect(file.current).toBe('good ..v1');

    await symlink('..v2', at('..data_tmp'));
    await rename(at('..data_tmp'), at('..data'));
    await look(clock, () => file.current === 'good ..v2');

    await writeFile(at('new'), 'good 3');
    await rename(at('new'), at('rules.yaml'));
    await look(clock, () => file.current === 'good 3');

    await writeFile(at('rules.yaml'), 'good 4');
    await look(clock, () => file.current === 'good 4');

    await rm(at('rules.yaml'));
    await look(clock, () => !file.state().ok);
    expect(file.current).toBe('good 4');

    await mkdir(at('rules.yaml'));
    await look(clock, () => reports.length === 5);
    expect(reports).toEqual(['reloaded', 'reloaded', 'reloaded', 'kept', 'kept']);
    file.stop();
  });

  it.each([
    [MAX_WATCHED_FILE_BYTES, true],
    [MAX_WATCHED_FILE_BYTES + 1, false],
  ])('%d bytes can be read: %s', async (size, readable) => {
    const path = join(directory, 'big');
    await writeFile(path, 'good'.padEnd(size));
    const opening = WatchedFile.open({ path, parse, clock: new FakeClock() });
    if (readable) {
      const file = await opening;
      expect(file.current).toHaveLength(size);
      file.stop();
    } else {
      expect(await problemsOf(opening)).toEqual([
        { path: '', message: `${path} is larger than 1048576 bytes` },
      ]);
    }
  });

  it('refuses what is no regular file', async () => {
    const opening = WatchedFile.open({ path: directory, parse, clock: new FakeClock() });
    expect(await problemsOf(opening)).toEqual([
      { path: '', message: `cannot read ${directory}: not a regular file` },
    ]);
  });
});
