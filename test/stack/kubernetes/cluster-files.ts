import { generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { readJsonIfPresent, writeFileAtomically } from '../files.ts';
import type { StackPaths } from '../paths.ts';
import { controllerAccounts } from '../settings.ts';
import type { ControllerAccounts } from '../settings.ts';

/** People who may talk to the API server, and their groups. Only the admin may do anything: tests add RBAC. */
const people = {
  admin: ['system:masters'],
  alice: ['analysts'],
  bob: ['analysts'],
} as const;

export type Person = keyof typeof people;
export const personNames = Object.keys(people) as Person[];

/**
 * The controller manager has one name and two tokens. With one its controllers get accounts of their own, and the rights
 * that Kubernetes gives this name are enough for that. With the other they all come under its name and need the rights of
 * all.
 */
const controllerManager = 'system:kube-controller-manager';
const controllerManagers = { own: [], shared: ['system:masters'] } as const satisfies Record<
  ControllerAccounts,
  readonly string[]
>;

export interface ClusterFiles {
  readonly identity: string;
  readonly serviceAccountKey: string;
  readonly serviceAccountPublicKey: string;
  readonly tokens: string;
  readonly certificates: string;
  /** The API server's own certificate with its authority behind it: clients trust this file. */
  readonly caFile: string;
  readonly etcd: string;
  readonly kubeconfig: Readonly<Record<Person, string>>;
  readonly controllerManagerKubeconfig: string;
}

export function clusterFiles(paths: StackPaths): ClusterFiles {
  const file = (name: string): string => join(paths.kubernetes, name);
  return {
    identity: file('cluster.json'),
    serviceAccountKey: file('service-account.key'),
    serviceAccountPublicKey: file('service-account.pub'),
    tokens: file('tokens.csv'),
    certificates: file('certificates'),
    caFile: file('certificates/apiserver.crt'),
    etcd: file('etcd'),
    kubeconfig: Object.fromEntries(personNames.map((name) => [name, file(`${name}.kubeconfig`)])) as Record<
      Person,
      string
    >,
    controllerManagerKubeconfig: file('controller-manager.kubeconfig'),
  };
}

const clusterRecord = z.object({
  id: z.string(),
  bearerTokens: z.object({ admin: z.string(), alice: z.string(), bob: z.string() }),
  controllerManagerTokens: z.object({ own: z.string(), shared: z.string() }),
});
export type ClusterRecord = z.infer<typeof clusterRecord>;

/** The cluster's identity and the people's tokens; undefined when there is no whole cluster. */
export async function readCluster(paths: StackPaths): Promise<ClusterRecord | undefined> {
  const files = clusterFiles(paths);
  const record = clusterRecord.safeParse(await readJsonIfPresent(files.identity)).data;
  const needed = [files.serviceAccountKey, files.serviceAccountPublicKey, files.tokens, files.etcd];
  return needed.every((file) => existsSync(file)) ? record : undefined;
}

/** Keys, tokens and an empty etcd. All old data goes. */
export async function createCluster(paths: StackPaths): Promise<ClusterRecord> {
  const files = clusterFiles(paths);
  await rm(paths.kubernetes, { recursive: true, force: true });
  await mkdir(files.etcd, { recursive: true, mode: 0o700 });
  const pair = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  await writeFileAtomically(files.serviceAccountKey, pair.privateKey);
  await writeFileAtomically(files.serviceAccountPublicKey, pair.publicKey);
  const bearer = (): string => randomBytes(24).toString('base64url');
  const record: ClusterRecord = {
    id: randomUUID(),
    bearerTokens: { admin: bearer(), alice: bearer(), bob: bearer() },
    controllerManagerTokens: { own: bearer(), shared: bearer() },
  };
  const row = (bearerToken: string, name: string, groups: readonly string[]): string =>
    `${bearerToken},${name},${name},"${groups.join(',')}"\n`;
  const rows = [
    ...personNames.map((name) => row(record.bearerTokens[name], name, people[name])),
    ...controllerAccounts.map((accounts) =>
      row(record.controllerManagerTokens[accounts], controllerManager, controllerManagers[accounts]),
    ),
  ];
  await writeFileAtomically(files.tokens, rows.join(''));
  // Last: without it the cluster is not whole, and is made anew.
  await writeFileAtomically(files.identity, `${JSON.stringify(record)}\n`);
  return record;
}

export async function writeKubeconfigs(
  paths: StackPaths,
  port: number,
  cluster: ClusterRecord,
): Promise<void> {
  const files = clusterFiles(paths);
  const ca = await readFile(files.caFile);
  for (const person of personNames) {
    const text = kubeconfig({ port, ca, user: person, bearerToken: cluster.bearerTokens[person] });
    await writeFileAtomically(files.kubeconfig[person], text);
  }
}

export async function writeControllerManagerKubeconfig(
  paths: StackPaths,
  port: number,
  bearerToken: string,
): Promise<void> {
  const files = clusterFiles(paths);
  const ca = await readFile(files.caFile);
  const text = kubeconfig({ port, ca, user: 'controller-manager', bearerToken });
  await writeFileAtomically(files.controllerManagerKubeconfig, text);
}

interface KubeconfigOptions {
  readonly port: number;
  readonly ca: Buffer;
  readonly user: string;
  readonly bearerToken: string;
}

function kubeconfig({ port, ca, user, bearerToken }: KubeconfigOptions): string {
  const name = 'kerbridge-stack';
  // JSON is YAML, and so is what every client of Kubernetes reads.
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      {
        name,
        cluster: {
          server: `https://127.0.0.1:${port}`,
          'certificate-authority-data': ca.toString('base64'),
        },
      },
    ],
    users: [{ name: user, user: { token: bearerToken } }],
    contexts: [{ name, context: { cluster: name, user, namespace: 'default' } }],
    'current-context': name,
  };
  return `${JSON.stringify(config, undefined, 2)}\n`;
}
