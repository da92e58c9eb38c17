import type { Stack } from '../description.ts';
import { runCommand } from '../run-command.ts';
import { podLikeJava, type PodLikeOptions } from './pod-like-java.ts';

export interface HadoopFsOptions extends PodLikeOptions {
  /** As after `hadoop fs`, for example `['-ls', '/user/alice']`. */
  readonly args: readonly string[];
  readonly timeoutMs?: number;
}

export interface HadoopFsResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs Hadoop's own client (FsShell, what `hadoop fs` starts) the way a pod would. */
export async function runHadoopFs(
  stack: Pick<Stack, 'dir'>,
  { args, timeoutMs = 120_000, ...options }: HadoopFsOptions,
): Promise<HadoopFsResult> {
  await using java = await podLikeJava(stack, options);
  return await runCommand(java.command, [...java.args, 'org.apache.hadoop.fs.FsShell', ...args], {
    env: java.env,
    cwd: java.cwd,
    timeoutMs,
  });
}
