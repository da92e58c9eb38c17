import { copyFile, mkdir, rm, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { inheritedEnvironment, mustRun, requireProgram } from '../stack/run-command.ts';
import type { Engine } from './engine.ts';

/**
 * How this machine reaches the package registries, for the time of a build: the certificates it trusts, its npm
 * registry, its Maven settings. Mounted at /mnt, where the local base images have links to; no Dockerfile knows of it,
 * and no image keeps any of it. (What is in an npmrc besides the registry stays outside: it may be a password.)
 */
export async function withOutside<T>({ dir }: Engine, work: (options: string[]) => Promise<T>): Promise<T> {
  const folder = join(dir, 'outside');
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true, mode: 0o700 });
  try {
    const env = inheritedEnvironment();
    const ca = [env['NODE_EXTRA_CA_CERTS'], env['SSL_CERT_FILE'], '/etc/ssl/certs/ca-certificates.crt'].find(
      (file) => file !== undefined && existsSync(file),
    );
    const npm = requireProgram('npm', 'Node.js');
    const registry = (await mustRun(npm, ['config', 'get', 'registry'], { env, cwd: '/' })).stdout.trim();
    const npmrc = [`registry=${registry}`];
    if (ca !== undefined) {
      await copyFile(ca, join(folder, 'ca.crt'));
      npmrc.push('cafile=/mnt/ca.crt');
    }
    await writeFile(join(folder, 'npmrc'), `${npmrc.join('\n')}\n`);
    // Java has a store of its own.
    if (existsSync('/etc/ssl/certs/java/cacerts')) {
      await copyFile('/etc/ssl/certs/java/cacerts', join(folder, 'cacerts'));
      const trust = 'MAVEN_OPTS="$MAVEN_OPTS -Djavax.net.ssl.trustStore=/mnt/cacerts"\n';
      await writeFile(join(folder, 'mavenrc'), trust);
    }
    const settings = join(homedir(), '.m2/settings.xml');
    if (existsSync(settings)) await copyFile(settings, join(folder, 'settings.xml'));
    return await work(['--volume', `${folder}:/mnt:ro`]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
