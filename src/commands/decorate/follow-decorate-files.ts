import type { Logger } from '../../observability/logger.ts';
import type { Metrics } from '../../observability/metrics.ts';
import type { HttpServer } from '../serve/http-server.ts';
import { noteFileChanges } from '../service/followed-files.ts';
import type { ServingPair } from './build-decorate.ts';
import { nameTlsProblem } from './name-tls-problem.ts';
import type { DecoratePlan } from './plan-decorate.ts';

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
  const note = noteFileChanges(
    [
      ['rules', files.rules],
      ['requesters', files.requesters],
      ['signing-keys', files.signingKeys],
      ['tls', files.tls],
    ],
    { metrics, logger },
  );
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
