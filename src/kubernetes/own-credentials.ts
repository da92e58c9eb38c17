import type https from 'node:https';
import type { KubeConfig } from '@kubernetes/client-node';
import { errorCode } from '../observability/error-code.ts';
import type { Clock } from '../time/clock.ts';
import { KubernetesApiError } from './kubernetes-api-error.ts';

/**
 * How long what the kubeconfig gave is used again: client-node reads files, and makes an agent that nobody needs, each
 * time it is asked. Files that change count a second later.
 */
export const CREDENTIALS_MS = 1_000;

/** What the kubeconfig has for a request. */
export interface OwnCredentials {
  readonly headers: Readonly<Record<string, string>>;
  /** With the agent of a proxy, if there is one. */
  readonly options: https.RequestOptions;
}

/** Ours for the Kubernetes API, as kubeconfig, files or an exec plugin give them. */
export class OwnCredentialsReader {
  readonly #kubeConfig: Pick<KubeConfig, 'applyToHTTPSOptions' | 'getCurrentCluster'>;
  readonly #clock: Pick<Clock, 'uptime'>;
  #last: { readonly since: number; readonly credentials: OwnCredentials } | undefined;

  constructor(
    kubeConfig: Pick<KubeConfig, 'applyToHTTPSOptions' | 'getCurrentCluster'>,
    clock: Pick<Clock, 'uptime'>,
  ) {
    this.#kubeConfig = kubeConfig;
    this.#clock = clock;
  }

  /** Those that were read just now. */
  get known(): OwnCredentials | undefined {
    const last = this.#last;
    return last !== undefined && this.#clock.uptime() - last.since < CREDENTIALS_MS
      ? last.credentials
      : undefined;
  }

  /** Rejects with KubernetesApiError `credentials`. */
  async read(): Promise<OwnCredentials> {
    const since = this.#clock.uptime();
    const applied: https.RequestOptions & { headers: Record<string, string> } = { headers: {} };
    try {
      await this.#kubeConfig.applyToHTTPSOptions(applied);
    } catch (error) {
      // Without the message: an exec plugin's has its output.
      throw new KubernetesApiError(
        'credentials',
        `cannot get our own Kubernetes credentials: ${errorCode(error)}`,
        {
          fix: 'check the token file, certificate files or exec plugin that the kubeconfig or this pod names',
        },
      );
    }
    const headers: Record<string, string> = { 'User-Agent': 'kerbridge' };
    // A token in a kubeconfig or of an exec plugin may end with a line break, which no header may.
    for (const [name, value] of Object.entries(applied.headers)) headers[name] = value.trim();
    const { ca, cert, key, pfx, passphrase, rejectUnauthorized, servername, auth } = applied;
    const tls = { ca, cert, key, pfx, passphrase, rejectUnauthorized, servername, auth };
    const isProxied = this.#kubeConfig.getCurrentCluster()?.proxyUrl !== undefined;
    const credentials = {
      headers,
      options: {
        ...Object.fromEntries(Object.entries(tls).filter(([, value]) => value !== undefined)),
        ...(isProxied ? { agent: applied.agent } : {}),
      },
    };
    this.#last = { since, credentials };
    return credentials;
  }
}
