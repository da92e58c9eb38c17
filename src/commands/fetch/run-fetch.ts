import { fetchFirst } from '../../fetch-client/fetch-first.ts';
import { FETCH_EXIT, FetchSession, inBrackets } from '../../fetch-client/fetch-session.ts';
import { findEarlier, readCredentials } from '../../fetch-client/find-earlier.ts';
import { readCaFile } from '../../fetch-client/read-ca-file.ts';
import { readServiceAccountToken } from '../../fetch-client/read-service-account-token.ts';
import { RejectedMarkerOnDisk } from '../../fetch-client/rejected-marker.ts';
import { readStatus, StatusFileOnDisk } from '../../fetch-client/status-file.ts';
import { TokenClient } from '../../fetch-client/token-client.ts';
import { TokenFilesOnDisk } from '../../fetch-client/token-files.ts';
import { statusOfEarlier, statusOfFirst, Watcher } from '../../fetch-client/watch.ts';
import { systemClock } from '../../time/clock.ts';
import type { FetchSettings } from './parse-fetch-options.ts';

type Say = (line: string) => void;

const SIGNALS = { SIGTERM: 143, SIGINT: 130 } as const;

/** `kerbridge fetch`, once or as a watcher. @returns the exit code */
export async function runFetch(settings: FetchSettings, say: Say): Promise<number> {
  const stop = endOnSignal();
  // Who read what we say may be gone; that ends no watcher.
  process.stderr.on('error', () => undefined);
  const { output, mode, group, watch } = settings;
  const clock = systemClock;
  const random = Math.random;
  const access = { mode, group };
  const files = new TokenFilesOnDisk({ ...access, paths: [...settings.copies, output] });
  const session = new FetchSession({ client: clientOf(settings), files, say });
  const { signal } = stop;

  if (settings.rejected) await rejectTokensOf(output, session, say);
  const earlier = watch ? await findEarlier(output, clock) : undefined;
  let status;
  if (earlier === undefined) {
    const first = await fetchFirst({ session, clock, random, deadlineMs: settings.deadlineMs, say, signal });
    if (first.outcome === 'ended') return first.exitCode;
    if (first.outcome === 'stopped') {
      say('ended by a signal before the file was there');
      return stop.exitCode();
    }
    const { held } = first;
    say(`${held.tokensWritten} delegation token(s) written to ${output}${inBrackets(held.facts.requestId)}`);
    status = statusOfFirst(held, clock.now(), random);
  } else {
    say(`${output} of an earlier watcher is still valid: going on from there`);
    status = statusOfEarlier(earlier, clock.now());
  }
  if (watch) {
    const statusFile = new StatusFileOnDisk(output, access, clock);
    const marker = new RejectedMarkerOnDisk(output, say);
    await new Watcher({ session, files, statusFile, marker, clock, random, say, signal }, status).run();
  }
  return FETCH_EXIT.done;
}

/** The first signal is the end; what is being written is written to its end. */
function endOnSignal(): { readonly signal: AbortSignal; readonly exitCode: () => number } {
  const controller = new AbortController();
  let exitCode = 0;
  for (const [name, code] of Object.entries(SIGNALS)) {
    process.on(name, () => {
      if (!controller.signal.aborted) exitCode = code;
      controller.abort();
    });
  }
  return { signal: controller.signal, exitCode: () => exitCode };
}

function clientOf(settings: FetchSettings): TokenClient {
  const { url, caFile, cluster, doAs, kinds, optionalKinds, format, timeoutMs } = settings;
  return new TokenClient({
    url,
    clock: systemClock,
    timeoutMs,
    selection: {
      kinds,
      optionalKinds,
      format,
      ...(cluster === undefined ? {} : { cluster }),
      ...(doAs === undefined ? {} : { doAs }),
    },
    readServiceAccountToken: () => readServiceAccountToken(settings.serviceAccountTokenFile),
    readCa: async () => (caFile === undefined ? undefined : await readCaFile(caFile)),
  });
}

async function rejectTokensOf(output: string, session: FetchSession, say: Say): Promise<void> {
  const inFile = (await readCredentials(output))?.sequenceNumbers ?? [];
  // Of a kind that can't be read the server has told the numbers to the watcher.
  const numbers = inFile.length > 0 ? inFile : ((await readStatus(output))?.status.sequenceNumbers ?? []);
  if (numbers.length === 0) say(`no sequence number of a token in ${output}: nothing to report`);
  session.reject(numbers);
}
