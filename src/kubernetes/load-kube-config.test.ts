import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { RequestOptions } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { KubeConfig } from '@kubernetes/client-node';
import { loadKubeConfig } from './load-kube-config.ts';

const KUBECONFIG = {
  clusters: [{ name: 'c', cluster: { server: 'https://api.example.com:6443' } }],
  users: [{ name: 'u', user: { token: 'sekrit' } }],
  contexts: [
    { name: 'x', context: { cluster: 'c', user: 'u' } },
    { name: 'no-cluster', context: { cluster: 'other', user: 'u' } },
    { name: 'no-user', context: { cluster: 'c', user: 'other' } },
  ],
  'current-context': 'x',
};

let folder: string;
let environment: NodeJS.ProcessEnv;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kerbridge-kubeconfig-'));
  environment = { ...process.env };
});

afterEach(async () => {
  jest.useRealTimers();
  process.env = environment;
  await rm(folder, { recursive: true, force: true });
});

async function write(content: unknown): Promise<string> {
  const path = join(folder, 'kubeconfig');
  await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

async function authorizationOf(kubeConfig: KubeConfig): Promise<unknown> {
  const options: RequestOptions = {};
  await kubeConfig.applyToHTTPSOptions(options);
  return Object.entries(options.headers ?? {}).find(([name]) => name.toLowerCase() === 'authorization')?.[1];
}

/** Whatever the clock says: a token lives for an hour, and the clock may be set back by more. */
async function expectRotation(kubeConfig: KubeConfig, path: string): Promise<void> {
  const start = Date.UTC(2026, 0, 1);
  jest.useFakeTimers({ now: start });
  expect(await authorizationOf(kubeConfig)).toBe('Bearer first');
  await writeFile(path, 'second');
  jest.setSystemTime(start + 61_000);
  expect(await authorizationOf(kubeConfig)).toBe('Bearer second');
  await writeFile(path, 'third');
  jest.setSystemTime(start - 7_200_000);
  expect(await authorizationOf(kubeConfig)).toBe('Bearer third');
}

describe('loadKubeConfig from a file', () => {
  it.each([
    ['its current context', undefined],
    ['a named context', 'x'],
  ])('takes %s', async (_, context) => {
    const kubeconfig = await write({
      ...KUBECONFIG,
      'current-context': context === undefined ? 'x' : 'no-user',
    });
    const kubeConfig = loadKubeConfig(context === undefined ? { kubeconfig } : { kubeconfig, context });
    expect(kubeConfig.getCurrentCluster()?.server).toBe('https://api.example.com:6443');
    expect(await authorizationOf(kubeConfig)).toBe('Bearer sekrit');
  });

  it.each([
    ['no YAML', '{users: [{token: sekrit', undefined, /is not a kubeconfig/],
    ['a text', 'sekrit', undefined, /./],
    ['nothing', '', undefined, /./],
    ['no contexts', { ...KUBECONFIG, contexts: [] }, undefined, /no current context/],
    ['no current context', { ...KUBECONFIG, 'current-context': '' }, undefined, /no current context/],
    ['an unknown context', KUBECONFIG, 'y', /no context y/],
    ['a context of an unknown cluster', KUBECONFIG, 'no-cluster', /no current context/],
    ['a context of an unknown user', KUBECONFIG, 'no-user', /names no user/],
    [
      'no server',
      { ...KUBECONFIG, clusters: [{ name: 'c', cluster: {} }] },
      undefined,
      /is not a kubeconfig/,
    ],
    ['a server that is no URL', withServer('api.example.com'), undefined, /no URL/],
    ['plain HTTP', withServer('http://api.example.com'), undefined, /not https/],
    ['another protocol', withServer('ftp://api.example.com'), undefined, /not https/],
    ['another protocol on loopback', withoutVerification('ftp://127.0.0.1'), undefined, /not https/],
    ...[
      'https://api.example.com:6443',
      'http://api.example.com',
      'https://10.0.0.1',
      'https://localhost.example.com',
      'https://127.0.0.1.example.com',
      'https://127.0.0.1@example.com',
      'https://[::2]',
    ].map((server): [string, object, undefined, RegExp] => [
      `any certificate of ${server}`,
      withoutVerification(server),
      undefined,
      /insecure-skip-tls-verify/,
    ]),
  ])('refuses %s and names the fix', async (_, content, context, message) => {
    const kubeconfig = await write(content);
    const load = () => loadKubeConfig(context === undefined ? { kubeconfig } : { kubeconfig, context });
    expect(load).toThrow(message);
    expect(load).toThrow(expect.objectContaining({ code: 'configuration', fix: expect.any(String) }));
    expect(load).not.toThrow(/sekrit/);
  });

  it.each(['https://127.0.0.1:6443', 'https://localhost:6443', 'https://[::1]:6443', 'http://127.0.0.9'])(
    'takes any certificate of %s, on loopback',
    async (server) => {
      const kubeconfig = await write(withoutVerification(server));
      expect(loadKubeConfig({ kubeconfig }).getCurrentCluster()?.server).toBe(server);
    },
  );

  it('refuses a file that is not there', () => {
    expect(() => loadKubeConfig({ kubeconfig: join(folder, 'missing') })).toThrow(
      /cannot read .*missing: ENOENT/,
    );
  });

  it.each([
    ['tokenFile', (path: string) => ({ tokenFile: path })],
    ['a relative tokenFile', () => ({ tokenFile: 'own-token' })],
    ['tokenFile beside a token', (path: string) => ({ token: 'sekrit', tokenFile: path })],
  ])('reads %s again when it is replaced', async (_, userOf) => {
    const path = join(folder, 'own-token');
    await writeFile(path, 'first\n');
    const kubeconfig = await write({ ...KUBECONFIG, users: [{ name: 'u', user: userOf(path) }] });
    await expectRotation(loadKubeConfig({ kubeconfig }), path);
  });

  it.each([
    ['is empty for a moment', '\n', 'EMPTY_TOKEN_FILE'],
    ['is gone', undefined, 'ENOENT'],
  ])('does not ask at all when the tokenFile %s', async (_, content, code) => {
    const path = join(folder, 'own-token');
    if (content !== undefined) await writeFile(path, content);
    const kubeconfig = await write({ ...KUBECONFIG, users: [{ name: 'u', user: { tokenFile: path } }] });
    await expect(authorizationOf(loadKubeConfig({ kubeconfig }))).rejects.toMatchObject({ code });
  });
});

describe('loadKubeConfig in a pod', () => {
  it('reads the mounted service-account token again when the kubelet replaces it', async () => {
    const mount = join(folder, 'var/run/secrets/kubernetes.io/serviceaccount');
    await mkdir(mount, { recursive: true });
    await writeFile(join(mount, 'token'), 'first');
    await writeFile(join(mount, 'ca.crt'), '');
    process.env['KUBERNETES_SERVICE_HOST'] = '10.0.0.1';
    process.env['KUBERNETES_SERVICE_PORT'] = '443';
    const kubeConfig = loadKubeConfig({ mountRoot: folder });
    expect(kubeConfig.getCurrentCluster()?.server).toBe('https://10.0.0.1:443');
    await expectRotation(kubeConfig, join(mount, 'token'));
  });

  it('says that it is not in one', () => {
    delete process.env['KUBERNETES_SERVICE_HOST'];
    delete process.env['KUBERNETES_SERVICE_PORT'];
    expect(() => loadKubeConfig({})).toThrow(/not in a Kubernetes pod/);
  });
});

function withServer(server: string): object {
  return { ...KUBECONFIG, clusters: [{ name: 'c', cluster: { server } }] };
}

function withoutVerification(server: string): object {
  const cluster = { server, 'insecure-skip-tls-verify': true };
  return { ...KUBECONFIG, clusters: [{ name: 'c', cluster }] };
}
