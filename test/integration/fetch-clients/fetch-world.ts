import { expect } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ClientProcess, until } from './client-process.ts';
import type { Client } from './clients.ts';
import { type Answer, FakeServe, type FakeServeOptions } from './fake-serve.ts';
import { PASSWORD, tokensFile } from './tokens-file.ts';

export interface Expected {
  readonly exit: number;
  /** What the output file holds at the end: what the server has, what was there before, or nothing. */
  readonly file: 'new' | 'old' | 'none';
  readonly says?: RegExp;
}

/** A pod of one client: its folder, its service-account token, a server of its own, and the files before and after. */
export class FetchWorld implements AsyncDisposable {
  readonly folder: string;
  /** Only the files of the client are in it. */
  readonly volume: string;
  readonly output: string;
  readonly tokenFile: string;
  /** What the file holds before. */
  old = tokensFile();
  /** What the server has. */
  new = tokensFile();
  readonly path: string;
  readonly #client: Client;
  readonly #processes: ClientProcess[] = [];
  readonly #servers: FakeServe[] = [];
  readonly #cleanUps: (() => Promise<unknown>)[] = [];
  readonly #serviceAccountTokens: string[] = [];
  readonly #leaks: string[] = [];

  private constructor(client: Client, folder: string, path: string) {
    this.#client = client;
    this.path = path;
    this.folder = folder;
    this.volume = join(folder, 'volume');
    this.output = join(this.volume, 'hadoop.token');
    this.tokenFile = join(folder, 'service-account-token');
  }

  static async create(client: Client): Promise<FetchWorld> {
    const folder = await mkdtemp(join(tmpdir(), 'kerbridge-fetch-'));
    const world = new FetchWorld(client, folder, await client.path(folder));
    await mkdir(world.volume);
    await writeFile(world.output, world.old, { mode: 0o600 });
    await world.rotateToken();
    return world;
  }

  /** Another service-account token, as kubelet does it. */
  async rotateToken(): Promise<string> {
    const part = (name: string) => `${name}${randomBytes(24).toString('base64url')}`;
    const token = [part('eyJhbGciOiJSUzI1NiIs'), part('eyJhdWQiOlsia2VyYnJp'), part('signature-')].join('.');
    await this.putToken(token);
    return token;
  }

  async putToken(serviceAccountToken: string): Promise<void> {
    await writeFile(this.tokenFile, serviceAccountToken);
    this.#serviceAccountTokens.push(serviceAccountToken);
  }

  async serve(answers: readonly Answer[], options: FakeServeOptions = {}): Promise<FakeServe> {
    const server = await FakeServe.start({ onRequest: () => this.#inspect(), answers, ...options });
    this.#servers.push(server);
    return server;
  }

  /** Starts the client with the usual options; of those that are given twice the last counts. */
  async start(
    url: string,
    args: readonly string[] = [],
    env: Record<string, string> = {},
    wrapper: readonly string[] = [],
  ): Promise<ClientProcess> {
    const usual = [
      `--url=${url}`,
      `--output=${this.output}`,
      `--service-account-token-file=${this.tokenFile}`,
    ];
    return await this.startBare([...usual, '--deadline=0', ...args], env, wrapper);
  }

  async startBare(
    args: readonly string[],
    env: Record<string, string> = {},
    wrapper: readonly string[] = [],
  ): Promise<ClientProcess> {
    const client = { ...this.#client, command: [...wrapper, ...this.#client.command] };
    const process = await ClientProcess.start({ client, args, env, path: this.path, cwd: this.folder });
    this.#processes.push(process);
    return process;
  }

  async run(url: string, args: readonly string[] = [], env: Record<string, string> = {}) {
    const process = await this.start(url, args, env);
    return { exit: await process.end(), output: process.output };
  }

  /** What a probe sees. */
  async healthy(): Promise<{ exit: unknown; output: string }> {
    const process = await this.startBare([`--output=${this.output}`, '--healthy']);
    return { exit: await process.end(), output: process.output };
  }

  /** The content of a file, or undefined. */
  async read(path = this.output): Promise<Buffer | undefined> {
    return await readFile(path).catch(() => undefined);
  }

  /** The lines of the status file. */
  async status(): Promise<Record<string, string>> {
    const text = (await this.read(`${this.output}.status`))?.toString() ?? '';
    const lines = text.split('\n').filter((line) => line !== '');
    return Object.fromEntries(lines.map((line) => line.split(/=(.*)/s).slice(0, 2) as [string, string]));
  }

  /** Waits until the watcher says so. */
  async statusIs(state: 'ok' | 'waiting' | 'refused'): Promise<void> {
    await until(
      async () => (await this.status())['state'] === state,
      () => `state=${state}`,
    );
  }

  /** Waits for the end, and compares everything that has to be so at any end. */
  async expectEnd(process: ClientProcess, { exit, file, says }: Expected): Promise<void> {
    const seen = await process.end();
    // With the output, or a failure says only a number.
    expect({ exit: seen, output: process.output }).toEqual({
      exit,
      output: says === undefined ? expect.any(String) : expect.stringMatching(says),
    });
    const content = await this.read();
    expect(content === undefined ? 'none' : this.#nameOf(content)).toEqual(file);
    expect(await process.survivors()).toEqual([]);
  }

  #nameOf(content: Buffer): string {
    if (content.equals(this.new)) return 'new';
    return content.equals(this.old) ? 'old' : content.toString('latin1');
  }

  /** Nothing half-done is left beside the files, and no secret was anywhere. */
  async expectClean(): Promise<void> {
    expect((await readdir(this.volume)).filter((name) => name.startsWith('.'))).toEqual([]);
    for (const process of this.#processes) this.#look('output', process.output);
    expect(this.#leaks).toEqual([]);
  }

  onCleanUp(cleanUp: () => Promise<unknown>): void {
    this.#cleanUps.unshift(cleanUp);
  }

  /** While a request is held back: who could see the service-account token, and who could read the new file? */
  async #inspect(): Promise<void> {
    for (const process of this.#processes) {
      if (!process.hasEnded) this.#look('/proc', await process.visible());
    }
    for (const name of await readdir(this.volume)) {
      const path = join(this.volume, name);
      const found = await stat(path).catch(() => undefined);
      if (found?.isFile() !== true) continue;
      const content = await readFile(path, 'latin1').catch(() => '');
      if (this.#serviceAccountTokens.some((token) => content.includes(token)))
        this.#leaks.push(`token in ${name}`);
      if (name.startsWith('.') && (found.mode & 0o077) !== 0) this.#leaks.push(`mode of ${name}`);
    }
  }

  #look(where: string, text: string): void {
    const secrets = this.#serviceAccountTokens.flatMap((token) => [token, ...token.split('.')]);
    for (const secret of [...secrets, PASSWORD]) {
      if (text.includes(secret)) this.#leaks.push(`${secret} in ${where}`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const process of this.#processes) await process.clear();
    for (const server of this.#servers) await server.stop();
    for (const cleanUp of this.#cleanUps) await cleanUp();
    await rm(this.folder, { recursive: true, force: true });
  }
}
