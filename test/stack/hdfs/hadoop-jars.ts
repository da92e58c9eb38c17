import { readFile, readdir } from 'node:fs/promises';
import { copyFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { cached, digestOf } from '../cache.ts';
import { cacheRoot } from '../paths.ts';
import { withElapsedTime } from '../progress.ts';
import type { Progress } from '../progress.ts';
import { inheritedEnvironment, mustRun, plainEnvironment, requireProgram } from '../run-command.ts';

const here = import.meta.dirname;
const jdk = 'a JDK of version 17 or later (Debian: default-jdk-headless)';

export interface JavaToolOptions {
  readonly progress: Progress;
  /** Marks of the stack that builds, so that `down` finds an interrupted build. */
  readonly marks: Readonly<Record<string, string>>;
}

/** The Java program, of JAVA_HOME or on PATH. */
export function javaProgram(name: 'java' | 'javac' = 'java'): string {
  const home = process.env['JAVA_HOME'] ?? '';
  return requireProgram(home === '' ? name : join(home, 'bin', name), jdk);
}

/** Folder with the jars of Hadoop: clients, servers and MiniDFSCluster. From Maven Central, some 100 MB, once. */
export async function hadoopJars({ progress, marks }: JavaToolOptions): Promise<string> {
  const pom = await readFile(join(here, 'pom.xml'), 'utf8');
  const version = /<hadoop\.version>([^<]+)</.exec(pom)?.[1] ?? 'unknown';
  return cached({
    root: cacheRoot(),
    name: `hadoop-jars-${version}-${digestOf(pom)}`,
    progress,
    build: (folder) =>
      withElapsedTime(
        progress,
        `downloading the jars of Hadoop ${version} with Maven (about 100 MB, once)`,
        async () => {
          // Maven may write beside the pom, so it gets a copy.
          const project = join(folder, 'project');
          await mkdir(project);
          await copyFile(join(here, 'pom.xml'), join(project, 'pom.xml'));
          const goal = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies';
          await mustRun(
            requireProgram('mvn', 'Apache Maven (Debian: maven)'),
            [
              '-B',
              '-ntp',
              goal,
              `-DoutputDirectory=${folder}`,
              '-DincludeScope=runtime',
              '-Dmdep.overWriteReleases=true',
            ],
            { env: inheritedEnvironment(marks), cwd: project },
          );
          await requireJars(folder);
        },
      ),
  });
}

async function requireJars(folder: string): Promise<void> {
  const jars = await readdir(folder);
  if (!jars.some((jar) => /^hadoop-hdfs-.*-tests\.jar$/.test(jar))) {
    throw new Error('Maven ended well but brought no hadoop-hdfs tests jar');
  }
}

/** Folder with our own classes for the servers, compiled against the jars. */
export function stackClasses(jars: string, options: JavaToolOptions): Promise<string> {
  return compiledClasses({ name: 'hdfs-classes', folder: join(here, 'java'), jars, ...options });
}

/** Folder with the classes of the Java files in a folder, compiled against the jars. */
export async function compiledClasses({
  name,
  folder,
  jars,
  progress,
  marks,
}: JavaToolOptions & {
  readonly name: string;
  readonly folder: string;
  readonly jars: string;
}): Promise<string> {
  const sources = (await readdir(folder)).filter((file) => file.endsWith('.java')).sort();
  const texts = await Promise.all(sources.map((file) => readFile(join(folder, file), 'utf8')));
  return cached({
    root: cacheRoot(),
    name: `${name}-${digestOf(jars, ...sources, ...texts)}`,
    progress,
    build: async (classes) => {
      const paths = sources.map((file) => join(folder, file));
      await mustRun(
        javaProgram('javac'),
        ['--release', '17', '-nowarn', '-d', classes, '-cp', join(jars, '*'), ...paths],
        { env: plainEnvironment(marks), cwd: classes },
      );
    },
  });
}
