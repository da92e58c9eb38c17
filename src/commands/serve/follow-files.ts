import type { Logger } from '../../observability/logger.ts';
import type { Metrics } from '../../observability/metrics.ts';
import { noteFileChanges } from '../service/followed-files.ts';
import type { HttpServer } from './http-server.ts';
import type { ServePlan } from './plan-serve.ts';

export interface FollowFilesOptions {
  readonly api: Pick<HttpServer, 'useCertificate'>;
  readonly metrics: Pick<Metrics, 'fileOk' | 'fileReloads' | 'tlsCertificateNotAfter'>;
  readonly logger: Logger;
}

/** Counts and logs what becomes of changed files, and gives the server its new certificate. */
export function followFiles(
  { files }: Pick<ServePlan, 'files'>,
  { api, metrics, logger }: FollowFilesOptions,
): void {
  const { tls } = files;
  const note = noteFileChanges(
    [
      ['rules', files.rules],
      ['revocations', files.revocations],
      ['stamp-keys', files.stampKeys],
      ['tls', tls],
    ],
    { metrics, logger },
  );
  files.follow(note);
  if (tls === undefined) return;

  metrics.tlsCertificateNotAfter.observe(() => tls.current.notAfter / 1000, {});
  const { warning } = tls;
  if (warning !== undefined) logger.warn('TLS certificate: no client will take it', { warning });
  tls.follow((change) => {
    if (change.event === 'used') {
      api.useCertificate(change.pair);
      note({ file: 'tls', outcome: 'reloaded', problems: [] });
    } else note({ file: 'tls', outcome: 'kept', problems: change.problems });
  });
}
