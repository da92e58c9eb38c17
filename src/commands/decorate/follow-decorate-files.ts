import { formatProblem } from '../../config/config-problem.ts';
import type { Logger } from '../../observability/logger.ts';
import type { Metrics } from '../../observability/metrics.ts';
import type { HttpServer } from '../serve/http-server.ts';
import type { ServingPair } from './build-decorate.ts';
import { nameTlsProblem } from './name-tls-problem.ts';
import type { DecorateFileChange, DecoratePlan } from './plan-decorate.ts';

export interface FollowDecorateFilesOptions {
  readonly pair: ServingPair;
  readonly webhook: Pick<HttpServer, 'useCertificate'>;
  readonly metrics: Pick<Metrics, 'fileOk' | 'fileReloads' | 'tlsCertificateNotAfter'>;
  readonly logger: Logger;
}

/** Counts and logs what becomes of changed files, and gives the server its new certificate, wherever that comes from. */
export function followDecorateFiles(
  { files }: Pick<DecoratePlan, 'files'>,
  { pair, webhook, metrics, logger }: FollowDecorateFilesOptions,
): void {
  const note = ({ file, outcome, problems }: DecorateFileChange): void => {
    metrics.fileReloads.inc({ file, outcome });
    metrics.fileOk.set({ file }, outcome === 'reloaded' ? 1 : 0);
    if (outcome === 'reloaded') logger.info('Changed file is in use', { file });
    else
      logger.warn('Changed file cannot be used; what it said before stays in use', {
        file,
        problems: problems.map(formatProblem),
      });
  };
  const followed = [
    ['rules', files.rules],
    ['requesters', files.requesters],
    ['signing-keys', files.signingKeys],
    ['tls', files.tls],
  ] as const;
  for (const [file, followedFile] of followed) {
    // It may have changed since it was opened.
    const state = followedFile?.state();
    if (state !== undefined) metrics.fileOk.set({ file }, state.ok ? 1 : 0);
  }
  files.follow(note);

  let { notAfter } = pair.current;
  metrics.tlsCertificateNotAfter.observe(() => notAfter / 1_000, {});
  const { warning } = pair;
  if (warning !== undefined) logger.warn('TLS certificate: no API server will take it', { warning });
  pair.follow((change) => {
    if (change.event === 'used') {
      notAfter = change.pair.notAfter;
      webhook.useCertificate(change.pair);
      logger.info('Certificate is in use', { notAfter });
    }
    if (files.tls === undefined) return;
    if (change.event === 'used') note({ file: 'tls', outcome: 'reloaded', problems: [] });
    else note({ file: 'tls', outcome: 'kept', problems: change.problems.map(nameTlsProblem) });
  });
}
