import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { KubeConfig, loadYaml } from '@kubernetes/client-node';
import { errorCode } from '../observability/error-code.ts';
import { fieldOf } from './api-reply.ts';
import { KubernetesApiError } from './kubernetes-api-error.ts';

export interface KubeConfigSource {
  /** Path of a kubeconfig; without it the service account that Kubernetes mounts into our own pod is used. */
  readonly kubeconfig?: string;
  /** Context of the kubeconfig; default its `current-context`. */
  readonly context?: string;
  /** Prefix of the path of the mounted service account, for a test. */
  readonly mountRoot?: string;
}

/**
 * Loads how to reach the Kubernetes API and as whom. Throws KubernetesApiError `configuration`.
 *
 * Nothing here is read only once that can change under a long-running process: the token file (the kubelet replaces it when
 * a fifth of its life, at least two minutes, is left), and CA and certificate files, are read whenever they are asked for.
 */
export function loadKubeConfig(source: KubeConfigSource): KubeConfig {
  const kubeConfig = source.kubeconfig === undefined ? loadInCluster(source) : loadFile(source.kubeconfig);
  readTokenFilesAgain(kubeConfig);
  const origin = source.kubeconfig ?? 'the service account of this pod';

  if (source.context !== undefined) {
    if (kubeConfig.getContextObject(source.context) === null) {
      const known = kubeConfig.getContexts().map(({ name }) => name);
      throw configurationError(
        `${origin} has no context ${source.context}`,
        `name one of: ${known.join(', ')}`,
      );
    }
    kubeConfig.setCurrentContext(source.context);
  }
  const cluster = kubeConfig.getCurrentCluster();
  if (cluster === null) {
    throw configurationError(
      `${origin} has no current context that names a cluster in it`,
      'name the context',
    );
  }
  // Anonymous requests would get this far: a missing user must not look like a missing permission.
  if (kubeConfig.getCurrentUser() === null) {
    throw configurationError(
      `${origin}: the context names no user of the file`,
      'correct contexts[].context.user',
    );
  }
  if (!URL.canParse(cluster.server)) {
    throw configurationError(
      `${origin}: the cluster's server is no URL`,
      'correct clusters[].cluster.server',
    );
  }
  const { protocol, hostname } = new URL(cluster.server);
  // Whoever answers in the API server's place would decide who everybody is.
  if (cluster.skipTLSVerify && !isLoopback(hostname)) {
    throw configurationError(
      `${origin}: insecure-skip-tls-verify: true trusts whoever answers for ${hostname} to say who a pod is`,
      'remove it and set certificate-authority or certificate-authority-data; it is for loopback only',
    );
  }
  if (protocol !== 'https:' && (protocol !== 'http:' || !cluster.skipTLSVerify)) {
    throw configurationError(
      `${origin}: the cluster's server is not https, and would see every token in clear`,
      'use https; for a test on loopback set insecure-skip-tls-verify: true',
    );
  }
  return kubeConfig;
}

/** Of a URL, which has IPv4 in dotted form whatever was written, and IPv6 in brackets. */
function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(?:\.\d{1,3}){3}$/.test(hostname);
}

function loadInCluster({ mountRoot = '' }: KubeConfigSource): KubeConfig {
  const kubeConfig = new KubeConfig();
  kubeConfig.loadFromCluster(mountRoot);
  // What client-node makes of KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT when they are not set.
  if (kubeConfig.getCurrentCluster()?.server.includes('undefined') !== false) {
    throw configurationError(
      'not in a Kubernetes pod: KUBERNETES_SERVICE_HOST is not set',
      'set kubernetes.kubeconfig to the path of a kubeconfig',
    );
  }
  return kubeConfig;
}

function loadFile(path: string): KubeConfig {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw configurationError(
      `cannot read the kubeconfig ${path}: ${errorCode(error)}`,
      'correct kubernetes.kubeconfig',
    );
  }
  const kubeConfig = new KubeConfig();
  try {
    kubeConfig.loadFromString(text);
    kubeConfig.makePathsAbsolute(resolve(dirname(path)));
    addTokenFiles(kubeConfig, loadYaml<RawKubeConfig>(text), resolve(dirname(path)));
  } catch {
    // The parser's message quotes the file, credentials included.
    throw configurationError(`${path} is not a kubeconfig`, 'correct kubernetes.kubeconfig or the file');
  }
  return kubeConfig;
}

interface RawKubeConfig {
  readonly users?: readonly { readonly name: string; readonly user?: { readonly tokenFile?: string } }[];
}

/** kubectl's `tokenFile`, which client-node 2.0 does not know: it would send no credentials at all. */
function addTokenFiles(kubeConfig: KubeConfig, raw: RawKubeConfig, folder: string): void {
  for (const { name, user: { tokenFile } = {} } of raw.users ?? []) {
    if (tokenFile === undefined) continue;
    kubeConfig.users = kubeConfig.users.map((user) =>
      // As in client-go, the file wins over a `token` beside it.
      user.name === name
        ? { name, authProvider: { name: 'tokenFile', config: { tokenFile: resolve(folder, tokenFile) } } }
        : user,
    );
  }
}

/**
 * In the place of client-node's own reader of token files, which keeps a token for a minute by the clock: once that has been
 * set back, until it is there again, whether the token has expired meanwhile or not.
 */
function readTokenFilesAgain(kubeConfig: KubeConfig): void {
  kubeConfig.users = kubeConfig.users.map((user) => {
    const path = fieldOf(fieldOf(user.authProvider, 'config'), 'tokenFile');
    return typeof path === 'string' ? { ...user, authProvider: { name: TOKEN_FILE, path } } : user;
  });
  kubeConfig.addAuthenticator({
    isAuthProvider: ({ authProvider }) => fieldOf(authProvider, 'name') === TOKEN_FILE,
    applyAuthentication: async ({ authProvider }, options) => {
      const token = (await readFile(String(fieldOf(authProvider, 'path')), 'utf8')).trim();
      // Without a token we would be nobody, and everybody's tokens would seem to be refused.
      if (token === '') throw Object.assign(new Error('empty token file'), { code: 'EMPTY_TOKEN_FILE' });
      options.headers = { ...options.headers, Authorization: `Bearer ${token}` };
    },
  });
}

const TOKEN_FILE = 'token file, read each time';

function configurationError(message: string, fix: string): KubernetesApiError {
  return new KubernetesApiError('configuration', message, { fix });
}
