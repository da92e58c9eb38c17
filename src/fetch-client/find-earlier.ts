import type { Clock } from '../time/clock.ts';
import { describeCredentials, type DescribedCredentials } from './describe-credentials.ts';
import { readRegularFile } from './read-regular-file.ts';
import { readStatus } from './status-file.ts';
import type { WatchStatus } from './watch-status.ts';

/** What `output` says of itself; undefined if it is no credentials file with a token. */
export async function readCredentials(output: string): Promise<DescribedCredentials | undefined> {
  try {
    const described = describeCredentials((await readRegularFile(output)).bytes);
    return described.tokenCount === 0 ? undefined : described;
  } catch {
    return undefined;
  }
}

/** The status that an earlier watcher left, if its file is there and has tokens that are still valid. */
export async function findEarlier(output: string, clock: Clock): Promise<WatchStatus | undefined> {
  const found = await readStatus(output);
  const described = await readCredentials(output);
  if (found === undefined || described === undefined) return undefined;
  const { status } = found;
  const ends = [status.validUntil, described.validUntil].filter((end) => end !== undefined);
  if (ends.some((end) => end <= clock.now())) return undefined;
  return status.sequenceNumbers.length > 0
    ? status
    : { ...status, sequenceNumbers: described.sequenceNumbers };
}
