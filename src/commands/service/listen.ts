import type { ListenAddress } from '../../config/listen-address.ts';
import { errorCode } from '../../observability/error-code.ts';
import type { Logger } from '../../observability/logger.ts';
import type { HttpServer } from '../serve/http-server.ts';
import { listenFix } from './listen-fix.ts';

export interface Listener {
  readonly server: Pick<HttpServer, 'listen'>;
  /** For the log. */
  readonly name: string;
  /** Key of the configuration. */
  readonly key: 'admin' | 'listen';
  readonly at: ListenAddress;
}

/** One after the other. False at the first that can't, which the log explains. */
export async function listenOn(
  listeners: readonly Listener[],
  { logger, version }: { readonly logger: Logger; readonly version: string },
): Promise<boolean> {
  for (const { server, name, key, at } of listeners) {
    try {
      const { address, port } = await server.listen(at);
      logger.info('Listening', { server: name, address, port, version });
    } catch (error) {
      logger.error('Cannot listen', { key, ...at, code: errorCode(error), fix: listenFix(error) });
      return false;
    }
  }
  return true;
}
