import type { ServeConfigSections } from '../../config/serve-config.ts';
import type { Check } from '../../preflight/check.ts';
import { failed, skipped } from '../../preflight/say.ts';
import { checkReady, checkServer, readySubject, serverSubject } from '../../preflight/tls/check-server.ts';
import { checkTlsFiles, TLS_FILES } from '../../preflight/tls/check-tls-files.ts';
import { probeServer } from '../../preflight/tls/probe-server.ts';
import type { Clock } from '../../time/clock.ts';
import { CaFileError, readCaFile } from '../../fetch-client/read-ca-file.ts';
import { parseTlsPair } from '../serve/tls-certificate.ts';

export interface TlsCheckOptions {
  readonly sections: ServeConfigSections;
  readonly url: URL | undefined;
  readonly caFile: string | undefined;
  readonly clock: Clock;
}

/** Nobody waits long for what is mostly shut to us. */
const READY_TIMEOUT_MS = 3_000;
/** From where most connect in vain, the operating system would take minutes to say so. */
const SERVER_TIMEOUT_MS = 20_000;

/** The certificate of `serve`: as its files have it, and as the running server shows it to clients. */
export function tlsChecks({ sections, url, caFile, clock }: TlsCheckOptions): readonly Check[] {
  const { listen, admin } = sections;
  let ca: string | undefined;
  const caCheck: Check = {
    id: 'ca-file',
    title: `CA of the clients ${caFile ?? ''}`.trim(),
    run: async () => {
      if (caFile === undefined) return [];
      const fix = 'Name a file with the PEM certificate of the authority that clients trust';
      try {
        ca = await readCaFile(caFile);
      } catch (error) {
        if (!(error instanceof CaFileError)) throw error;
        return [failed(caCheck, error.message, fix)];
      }
      return [];
    },
  };
  const files: Check = {
    ...TLS_FILES,
    // Without --ca-file, or with a bad one, all that does not depend on it is looked at.
    run: async () => {
      if (listen?.tls === undefined) {
        return [
          skipped(TLS_FILES, 'listen.tls is not set: something in front of serve does TLS, or nothing'),
        ];
      }
      return await checkTlsFiles({
        ...listen.tls,
        parsePair: parseTlsPair,
        trusted: ca,
        host: url === undefined ? undefined : hostOf(url),
        clock,
      });
    },
  };
  const checks = [caCheck, ...(listen === undefined ? [] : [files])];
  if (url === undefined) return checks;
  const server: Check = {
    ...serverSubject({ url }),
    needs: [caCheck.id],
    timeoutMs: SERVER_TIMEOUT_MS,
    timeoutFix: 'See that the way to --url is open: the NetworkPolicy, the Service, the port',
    run: (signal) => checkServer({ url, ca, clock, probe: probeServer }, signal),
  };
  if (admin === undefined) return [...checks, server];
  const readyUrl = new URL(`http://${url.hostname}:${admin.port}/readyz`);
  const ready: Check = {
    ...readySubject({ url: readyUrl }),
    run: (signal) =>
      checkReady(
        { url: readyUrl, probe: probeServer },
        AbortSignal.any([signal, AbortSignal.timeout(READY_TIMEOUT_MS)]),
      ),
  };
  return [...checks, server, ready];
}

const hostOf = ({ hostname }: URL): string => hostname.replaceAll(/[[\]]/g, '');
