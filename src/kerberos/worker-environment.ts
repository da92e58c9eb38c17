import { resolve } from 'node:path';

/** What of the surroundings the worker may see. Anything else could hold a secret, or (NODE_OPTIONS) break it. */
const INHERITED = ['PATH', 'LD_LIBRARY_PATH', 'TZ', 'KRB5_TRACE'] as const;

export interface WorkerEnvironmentOptions {
  /** The surroundings to pick from, for example `process.env`. */
  readonly inherited: Readonly<Record<string, string | undefined>>;
  readonly keytab: string;
  /** From `Tickets`. */
  readonly cacheName: string;
  /** One file or a colon-separated list; MIT's own default (/etc/krb5.conf) when undefined. */
  readonly krb5Conf: string | undefined;
}

/** The worker's whole environment. */
export const workerEnvironment = (options: WorkerEnvironmentOptions): Record<string, string> => {
  const environment: Record<string, string> = {};
  for (const name of INHERITED) {
    const value = options.inherited[name];
    if (value !== undefined) {
      environment[name] = value;
    }
  }
  return {
    ...environment,
    // MIT translates its messages, and the messages are all that there is to tell errors apart.
    LC_ALL: 'C',
    ...(options.krb5Conf === undefined
      ? {}
      : {
          KRB5_CONFIG: options.krb5Conf
            .split(':')
            .map((path) => resolve(path))
            .join(':'),
        }),
    KRB5_CLIENT_KTNAME: `FILE:${resolve(options.keytab)}`,
    KRB5CCNAME: options.cacheName,
    // GSS is the only user of the worker's pool, one step at a time.
    UV_THREADPOOL_SIZE: '1',
  };
};
