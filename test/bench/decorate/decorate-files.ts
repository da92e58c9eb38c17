import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { formatPrivateKeys, newSigningKey } from '../../../src/identity/stamps/stamp-keys.ts';
import { TLS } from '../http/world.ts';

const REQUESTERS = join(import.meta.dirname, '../../../deploy/components/decorate/requesters.yaml');

/** The rest of a configuration of `kerbridge decorate` that asks no API server for what these reviews are about. */
export async function decorateFiles(folder: string): Promise<object> {
  const [keysFile, kubeconfig] = [join(folder, 'stamp-keys.json'), join(folder, 'kubeconfig')];
  await writeFile(keysFile, formatPrivateKeys({ keys: [newSigningKey()] }).reveal(), { mode: 0o600 });
  await writeFile(
    kubeconfig,
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      // Port 9 is that of "discard", where nobody listens.
      clusters: [{ name: 'none', cluster: { server: 'https://127.0.0.1:9' } }],
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
