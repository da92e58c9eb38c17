import { stat } from 'node:fs/promises';
import type { Clock } from '../time/clock.ts';
import { readStatus, statusPath } from './status-file.ts';

/** Twelve signs of life: longer than a busy node may keep a process from running. */
const MAX_SILENCE_MS = 60_000;

/** @returns why the watcher of `output` is not healthy; undefined if it is */
export async function whyNotHealthy(output: string, clock: Clock): Promise<string | undefined> {
  const file = await stat(output).catch(() => undefined);
  if (file?.isFile() !== true) return `${output} is not there`;
  const found = await readStatus(output);
  if (found === undefined)
    return `${statusPath(output)} is not there, or no status: is a fetch --watch running?`;
  const { status, aliveAt } = found;
  const now = clock.now();
  const silentMs = now - aliveAt;
  // A clock that was set back is mended by the next sign of a watcher that lives.
  if (silentMs <= -MAX_SILENCE_MS)
    return `the last sign of life of the watcher is ${Math.floor(-silentMs / 1000)} s ahead of the clock`;
  if (silentMs >= MAX_SILENCE_MS)
    return `no sign of life of the watcher for ${Math.floor(silentMs / 1000)} s`;
  if (status.validUntil !== undefined && status.validUntil <= now) {
    const why = status.reason === '' ? '' : `; the last try: ${status.reason}`;
    return `the tokens of ${output} have been past their maxDate for ${Math.floor((now - status.validUntil) / 1000)} s${why}`;
  }
  return undefined;
}
