import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseAllDocuments, parse } from 'yaml';
import type { ApiCaller } from '../integration/api-caller.ts';
import { type DecorateProcess, startDecorate } from '../integration/decorate-process.ts';
import { kubeconfigFor, loadConfig } from '../integration/kubernetes-objects.ts';
import { readPublishedKeys } from '../integration/published-stamp-keys.ts';
import { tokenIn } from '../integration/run-pod.ts';
import { freePort } from '../integration/serve-process.ts';

const COMPONENTS = join(import.meta.dirname, '../../deploy/components');
const OWN = 'kerbridge';
const NAME = 'kerbridge-decorate';

/** Where the kinds of the two components are; what is not here would run in a cluster, and runs beside this one. */
const PLURALS: Readonly<Record<string, string>> = {
  ServiceAccount: 'serviceaccounts',
  ClusterRole: 'clusterroles',
  ClusterRoleBinding: 'clusterrolebindings',
  Role: 'roles',
  RoleBinding: 'rolebindings',
  MutatingWebhookConfiguration: 'mutatingwebhookconfigurations',
  ValidatingWebhookConfiguration: 'validatingwebhookconfigurations',
  ValidatingAdmissionPolicy: 'validatingadmissionpolicies',
  ValidatingAdmissionPolicyBinding: 'validatingadmissionpolicybindings',
};

interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly webhooks?: readonly { clientConfig: object }[];
}

export interface DemoDecorator extends AsyncDisposable {
  readonly process: DecorateProcess;
  /** The public keys, as `serve` finds them in its volume. */
  readonly stampKeysFile: string;
}

/**
 * `kerbridge decorate` beside the stack, with the rights, webhooks and admission policies of deploy/. Only the way from the
 * API server to it differs: an address on loopback in the place of a Service.
 */
export async function startDemoDecorator(
  api: ApiCaller,
  { folder, adminKubeconfig }: { readonly folder: string; readonly adminKubeconfig: string },
): Promise<DemoDecorator> {
  await using disposables = new AsyncDisposableStack();
  const port = await freePort();
  await apply(api, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: OWN } }, 'namespaces');
  const manifests = [...(await manifestsOf('admission-policies')), ...(await manifestsOf('decorate'))];
  for (const manifest of manifests) {
    const plural = PLURALS[manifest.kind];
    if (plural === undefined) continue;
    const path = manifest.kind.startsWith('Mutating') ? 'mutate' : 'validate';
    for (const webhook of manifest.webhooks ?? [])
      webhook.clientConfig = { url: `https://localhost:${port}/${path}` };
    const at = await apply(api, manifest, plural);
    // Not in the way of a stack that stays up.
    disposables.defer(async () => void (await api.call(at, { method: 'DELETE' })));
  }
  const requested = await api.must(`/api/v1/namespaces/${OWN}/serviceaccounts/${NAME}/token`, {
    method: 'POST',
    body: { spec: {} },
  });
  const kubeconfig = join(folder, 'decorate.kubeconfig');
  await writeFile(kubeconfig, await kubeconfigFor(loadConfig(adminKubeconfig), tokenIn(requested)), {
    mode: 0o600,
  });
  const process = await startDecorate({
    dir: folder,
    port,
    config: {
      kubernetes: { kubeconfig },
      tls: { ownCa: { dnsNames: ['localhost'], secret: { namespace: OWN, name: 'kerbridge-decorate-tls' } } },
      signing: { secret: { namespace: OWN, name: 'kerbridge-stamp-keys' } },
      requestersFile: join(COMPONENTS, 'decorate/requesters.yaml'),
    },
  });
  disposables.defer(() => process.stop());
  const stampKeysFile = join(folder, 'stamp-keys.json');
  await writeFile(stampKeysFile, await readPublishedKeys(api));
  const all = disposables.move();
  return { process, stampKeysFile, [Symbol.asyncDispose]: () => all.disposeAsync() };
}

async function manifestsOf(component: string): Promise<readonly Manifest[]> {
  const folder = join(COMPONENTS, component);
  const { resources } = parse(await readFile(join(folder, 'kustomization.yaml'), 'utf8')) as {
    readonly resources: readonly string[];
  };
  const texts = await Promise.all(resources.map((name) => readFile(join(folder, name), 'utf8')));
  return texts.flatMap((text) => parseAllDocuments(text)).map((document) => document.toJS() as Manifest);
}

/** Resolves to where it is then. */
async function apply(api: ApiCaller, manifest: Manifest, plural: string): Promise<string> {
  const { apiVersion, metadata } = manifest;
  const group = apiVersion === 'v1' ? '/api/v1' : `/apis/${apiVersion}`;
  const namespace = metadata.namespace === undefined ? '' : `/namespaces/${metadata.namespace}`;
  const path = `${group}${namespace}/${plural}/${metadata.name}`;
  await api.must(path, { method: 'PATCH', kind: 'apply', body: manifest });
  return path;
}
