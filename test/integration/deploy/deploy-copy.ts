import { execFile } from 'node:child_process';
import { copyFile, cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { promisify } from 'node:util';
import { parseAllDocuments } from 'yaml';
import type { Stack } from '../../stack/stack.ts';
import { temporaryFolder } from '../hadoop/hdfs-token-service.ts';

export const DEPLOY = join(import.meta.dirname, '../../../deploy');

/** Of what kustomize prints, as far as tests look at it. */
export interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly [key: string]: unknown;
}

/** A copy of deploy/ in which the quick start has got what a person puts into it: here, what the stack has. */
export interface DeployCopy extends AsyncDisposable {
  /** Of the copy: `path('overlays', 'quick-start')`. */
  path(...names: readonly string[]): string;
}

/** Where the person of these tests says that the image is. */
export const IMAGE_NAME = 'registry.example.com/team/kerbridge';

/** The files that a person brings; docs and the overlay's README name them. */
export const BROUGHT = [
  'core-site.xml',
  'hdfs-site.xml',
  'krb5.conf',
  'kerbridge.keytab',
  'tls.crt',
  'tls.key',
  'ca.crt',
] as const;

export async function copyDeploy(stack: Stack): Promise<DeployCopy> {
  const folder = await temporaryFolder();
  const root = join(folder.path, 'deploy');
  await cp(DEPLOY, root, { recursive: true });
  const overlay = join(root, 'overlays/quick-start');
  const files = join(overlay, 'files');
  for (const name of ['core-site.xml', 'hdfs-site.xml']) {
    await copyFile(join(stack.hdfs.confDir, name), join(files, name));
  }
  await copyFile(stack.krb5Conf, join(files, 'krb5.conf'));
  await copyFile(stack.keytabs.kerbridge, join(files, 'kerbridge.keytab'));
  await promisify(execFile)('sh', [join(overlay, 'make-certificate.sh')]);
  // The stack's HDFS speaks plain HTTP: the edit that the comment in that file is about.
  for (const config of [
    join(overlay, 'kerbridge.yaml'),
    join(root, 'overlays/production-example/kerbridge.yaml'),
  ])
    await edit(config, (text) => text.replace('# allowPlainHttp: true', 'allowPlainHttp: true'));
  await edit(join(overlay, 'kustomization.yaml'), (text) =>
    text.replace('newName: kerbridge', `newName: ${IMAGE_NAME}`),
  );
  const overlays: Readonly<Record<string, object>> = {
    'with-prometheus': { components: ['../../components/prometheus'] },
    'with-decorate': { components: ['../../components/decorate'] },
    'with-decorate-audit-only': {
      components: ['../../components/decorate', '../../components/decorate-audit-only'],
    },
  };
  for (const [name, more] of Object.entries(overlays)) {
    await mkdir(join(root, 'overlays', name));
    const kustomization = {
      apiVersion: 'kustomize.config.k8s.io/v1beta1',
      kind: 'Kustomization',
      namespace: 'kerbridge',
      resources: ['../quick-start'],
      ...more,
    };
    await writeFile(join(root, 'overlays', name, 'kustomization.yaml'), JSON.stringify(kustomization));
  }
  return {
    path: (...names) => join(root, ...names),
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

/** Changes a file, and is content with no text that stays as it was: the test would be about something else. */
export async function edit(file: string, change: (text: string) => string): Promise<void> {
  const before = await readFile(file, 'utf8');
  const after = change(before);
  if (after === before) throw new Error(`nothing to change in ${file}`);
  await writeFile(file, after);
}

export function parseManifests(text: string): Manifest[] {
  return parseAllDocuments(text).map((document) => {
    if (document.errors[0] !== undefined) throw document.errors[0];
    return document.toJS() as Manifest;
  });
}

/** Throws unless there is exactly one. */
export function oneOf(manifests: readonly Manifest[], kind: string, name = 'kerbridge'): Manifest {
  const found = manifests.filter((each) => each.kind === kind && each.metadata.name === name);
  const [only] = found;
  if (only === undefined || found.length > 1) throw new Error(`${found.length} of ${kind} ${name}`);
  return only;
}

/** Every YAML file below deploy/, by its path there. */
export async function deployFiles(): Promise<string[]> {
  const entries = await readdir(DEPLOY, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && entry.name.endsWith('.yaml'))
    .map((entry) => relative(DEPLOY, join(entry.parentPath, entry.name)))
    .toSorted();
}
