import type { ConfigProblem } from '../../config/config-problem.ts';

/** A problem of the certificate's files, as `decorate` calls them: those of `serve` have other keys. */
export function nameTlsProblem({ path, message }: ConfigProblem): ConfigProblem {
  return {
    path: path.replace(/^listen\.tls(?=\.|$)/, 'tls.files'),
    message: message.replaceAll('listen.tls.', 'tls.files.'),
  };
}
