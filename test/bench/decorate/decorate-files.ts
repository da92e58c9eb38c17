import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { formatPrivateKeys, newSigningKey } from '../../../src/identity/stamps/stamp-keys.ts';
import { TLS } from '../http/world.ts';

const REQUESTERS = join(import.meta.dirname, '../../../deploy/components/decorate/requesters.yaml');

/** An API server that knows nothing but namespaces, all of which take part. Its URL, and how to end it. */
export async function startNamespaces(): Promise<{ readonly url: string; readonly close: () => void }> {
  const server = createServer(({ url = '' }, response) => {
    const name = decodeURIComponent(url.split('/').at(-1) ?? '');
    const metadata = { name, uid: `uid-of-${name}`, labels: { iddecorator: 'enabled' } };
    response.setHeader('Content-Type', 'application/json');
    response.end(JSON.stringify({ apiVersion: 'v1', kind: 'Namespace', metadata }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const close = (): void => {
    server.close();
    server.closeAllConnections();
  };
  return { url: `http://127.0.0.1:${port}`, close };
}

/** The rest of a configuration of `kerbridge decorate` that asks the API server for nothing but the namespace. */
export async function decorateFiles(folder: string, apiServer: string): Promise<object> {
  const [keysFile, kubeconfig] = [join(folder, 'stamp-keys.json'), join(folder, 'kubeconfig')];
  await writeFile(keysFile, formatPrivateKeys({ keys: [newSigningKey()] }).reveal(), { mode: 0o600 });
  await writeFile(
    kubeconfig,
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'none', cluster: { server: apiServer, 'insecure-skip-tls-verify': true } }],
      users: [{ name: 'none', user: {} }],
      contexts: [{ name: 'none', context: { cluster: 'none', user: 'none' } }],
      'current-context': 'none',
    }),
  );
  return {
    tls: { files: TLS },
    kubernetes: { kubeconfig },
    signing: { keysFile },
    requestersFile: REQUESTERS,
    audit: { file: join(folder, 'audit.log') },
  };
}
