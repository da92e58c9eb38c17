import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

export interface CommandResult {
  /** 128 + the signal's usual number is not made up: a command ended by a signal has exit code -1. */
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  /** The whole environment of the command. */
  readonly env: Readonly<Record<string, string>>;
  readonly input?: string;
  readonly cwd?: string;
  readonly timeoutMs?: number;
}

/** Runs a program to its end. Rejects only when it can't be started or takes too long. */
export function runCommand(
  command: string,
  args: readonly string[],
  options: CommandOptions,
): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      env: options.env,
      stdio: ['pipe', 'pipe', 'pipe'],
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
    // A program that ends without reading its input is no fault of ours.
    child.stdin.on('error', () => {});
    child.stdin.end(options.input ?? '');
    let timedOut = false;
    const timer =
      options.timeoutMs === undefined
        ? undefined
        : setTimeout(() => {
            timedOut = true;
            child.kill('SIGKILL');
          }, options.timeoutMs);
    child.once('error', (error) => {
      clearTimeout(timer);
      reject(new Error(`cannot run ${command}: ${error.message}`));
    });
    child.once('close', (code) => {
      clearTimeout(timer);
      const result = {
        exitCode: code ?? -1,
        stdout: Buffer.concat(out).toString('utf8'),
        stderr: Buffer.concat(err).toString('utf8'),
      };
      if (timedOut) {
        reject(
          new Error(`${command} did not end within ${options.timeoutMs} ms: ${lastLines(result.stderr)}`),
        );
      } else {
        resolve(result);
      }
    });
  });
}

/** As {@link runCommand}, and any exit code but 0 is an error that ends with the command's last lines. */
export async function mustRun(
  command: string,
  args: readonly string[],
  options: CommandOptions,
): Promise<CommandResult> {
  const result = await runCommand(command, args, options);
  if (result.exitCode !== 0) {
    const said = lastLines(`${result.stdout}\n${result.stderr}`);
    throw new Error(`${command} ${args.slice(0, 3).join(' ')} failed with ${result.exitCode}:\n${said}`);
  }
  return result;
}

export function lastLines(text: string, count = 20): string {
  return text.trimEnd().split('\n').slice(-count).join('\n');
}

/** Debian keeps servers in sbin folders, which are not on the PATH of everybody. */
const sbin = ['/usr/local/sbin', '/usr/sbin', '/sbin'];

/** The path of a program on PATH or in an sbin folder, undefined when there is none. */
export function findProgram(name: string, path: string = process.env['PATH'] ?? ''): string | undefined {
  const folders = [...path.split(delimiter), ...sbin].filter((folder) => folder !== '');
  const candidates = name.includes('/') ? [name] : folders.map((folder) => join(folder, name));
  return candidates.find((candidate) => {
    try {
      accessSync(candidate, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** @throws Error naming the program and what brings it. */
export function requireProgram(name: string, broughtBy: string): string {
  const found = findProgram(name);
  if (found === undefined) {
    throw new Error(
      `${name} is not on PATH; it comes with ${broughtBy} (sh test/bootstrap.sh installs what it can)`,
    );
  }
  return found;
}

/**
 * A small environment for programs of the stack: what is in the developer's (a ticket cache, Java options, a proxy
 * for HTTP) must not change how they behave.
 */
export function plainEnvironment(extra: Readonly<Record<string, string>> = {}): Record<string, string> {
  return {
    PATH: process.env['PATH'] ?? '/usr/bin:/bin',
    LANG: 'C.UTF-8',
    ...extra,
  };
}

/** The developer's own environment, for tools that download (proxies, certificates, caches). */
export function inheritedEnvironment(extra: Readonly<Record<string, string>> = {}): Record<string, string> {
  const env: Record<string, string> = {};
  for (const [name, value] of Object.entries(process.env)) {
    if (value !== undefined) {
      env[name] = value;
    }
  }
  return { ...env, ...extra };
}
