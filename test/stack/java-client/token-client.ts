import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { z } from 'zod';
import type { Stack } from '../description.ts';
import { compiledClasses, hadoopJars } from '../hdfs/hadoop-jars.ts';
import { processMarks } from '../processes.ts';
import { toStderr } from '../progress.ts';
import { mustRun } from '../run-command.ts';
import { podLikeJava, type PodLikeJava, type PodLikeOptions } from './pod-like-java.ts';

export type TokenClientOptions = Omit<PodLikeOptions, 'classes'> & { readonly tokenFile: string };

const reading = z.object({
  /** `fresh`: made for this reading, from the token file as it was then. `first`: that of the start of the program. */
  login: z.enum(['fresh', 'first']),
  outcome: z.enum(['read', 'not-authenticated', 'failed']),
  /** Empty when it was read. */
  problem: z.string(),
  /** Of the tokens of the login. */
  sequenceNumbers: z.array(z.int()),
  /** ms since the epoch. */
  at: z.number(),
  tookMs: z.number(),
});

/** One reading of a file in HDFS by the real Java client. */
export type Reading = z.infer<typeof reading>;

export interface ReadLoop extends AsyncDisposable {
  /** All so far. */
  readings(login: Reading['login']): readonly Reading[];
}

/** A JVM that reads a file in HDFS every second, each time with a fresh login and with that of its start. */
export async function startReadLoop(
  stack: Pick<Stack, 'dir'>,
  { path, ...options }: TokenClientOptions & { readonly path: string },
): Promise<ReadLoop> {
  const java = await prepare(stack, options);
  const child: ChildProcess = spawn(java.command, [...java.args, 'TokenClient', 'read-loop', path], {
    env: java.env,
    cwd: java.cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  let said = '';
  child.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (said = `${said}${chunk.toString()}`.slice(-10_000)));
  return {
    readings: (login) => {
      if (child.exitCode !== null) throw new Error(`the reader ended with ${child.exitCode}: ${said}`);
      const lines = output.split('\n').slice(0, -1);
      return lines.map((line) => reading.parse(JSON.parse(line))).filter((each) => each.login === login);
    },
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGKILL');
        await once(child, 'exit');
      }
      await java[Symbol.asyncDispose]();
    },
  };
}

/** Cancels the token of the default file system, as any holder can. Returns its sequence number. */
export async function cancelOwnToken(
  stack: Pick<Stack, 'dir'>,
  options: TokenClientOptions,
): Promise<number> {
  await using java = await prepare(stack, options);
  const { stdout } = await mustRun(java.command, [...java.args, 'TokenClient', 'cancel'], {
    env: java.env,
    cwd: java.cwd,
    timeoutMs: 60_000,
  });
  return z.object({ cancelled: z.int() }).parse(JSON.parse(stdout)).cancelled;
}

async function prepare(stack: Pick<Stack, 'dir'>, options: TokenClientOptions): Promise<PodLikeJava> {
  const tools = { progress: toStderr, marks: processMarks(stack.dir, 'java-client') };
  const jars = await hadoopJars(tools);
  const folder = join(import.meta.dirname, 'java');
  const classes = await compiledClasses({ name: 'client-classes', folder, jars, ...tools });
  return await podLikeJava(stack, { ...options, classes: [classes] });
}
