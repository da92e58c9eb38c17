import { formatProblem } from '../../config/config-problem.ts';
import type { Logger } from '../../observability/logger.ts';
import type { Metrics } from '../../observability/metrics.ts';
import type { HttpServer } from './http-server.ts';
import type { FileChange } from './open-files.ts';
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
  const note = ({ file, outcome, problems }: FileChange): void => {
    metrics.fileReloads.inc({ file, outcome });
    metrics.fileOk.set({ file }, outcome === 'reloaded' ? 1 : 0);
    if (outcome === 'reloaded') logger.info('Changed file is in use', { file });
    else {
      logger.warn('Changed file cannot be used; what it said before stays in use', {
        file,
        problems: problems.map(formatProblem),
      });
    }
  };
  const followed = [
    ['rules', files.rules],
    ['revocations', files.revocations],
    ['stamp-keys', files.stampKeys],
    ['tls', tls],
  ] as const;
  for (const [file, followedFile] of followed) {
    // It may have changed since it was opened.
    const state = followedFile?.state();
    if (state !== undefined) metrics.fileOk.set({ file }, state.ok ? 1 : 0);
  }
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
