import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Stack } from '../description.ts';
import { hadoopJars, javaProgram } from '../hdfs/hadoop-jars.ts';
import { hadoopXml } from '../hdfs/hadoop-xml.ts';
import { processMarks } from '../processes.ts';
import { toStderr } from '../progress.ts';

export interface PodLikeOptions {
  /** Folder with core-site.xml and hdfs-site.xml; it is copied, so nothing is changed there. */
  readonly confDir: string;
  /** Hadoop's token file; without one the client has nothing to show. */
  readonly tokenFile?: string;
  /** Properties over those of core-site.xml. They go into the file, since Hadoop reads some of them once, statically. */
  readonly coreSite?: Readonly<Record<string, string>>;
  /** Folders of classes besides Hadoop's own. */
  readonly classes?: readonly string[];
}

/** A Java program that is to be started; the folder must be there until it has ended. */
export interface PodLikeJava extends AsyncDisposable {
  readonly command: string;
  /** Up to the name of the class. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
}

/** A realm whose only KDC is a port where nobody listens: a client that wants a ticket fails at once. */
const unreachableKdc = `[libdefaults]
  default_realm = KERBRIDGE.TEST
  dns_lookup_realm = false
  dns_lookup_kdc = false
  udp_preference_limit = 1
[realms]
  KERBRIDGE.TEST = {
    kdc = 127.0.0.1:1
  }
`;

/** Warnings to stderr, where `hadoop fs` has them. */
const log4j = `log4j.rootLogger=WARN,console
log4j.logger.org.apache.hadoop.util.NativeCodeLoader=ERROR
log4j.appender.console=org.apache.log4j.ConsoleAppender
log4j.appender.console.target=System.err
log4j.appender.console.layout=org.apache.log4j.PatternLayout
log4j.appender.console.layout.ConversionPattern=%p %c{2}: %m%n
`;

/**
 * How a Hadoop client is started the way a pod would: a configuration and a token file, and nothing else. No ticket, no
 * keytab, no KDC within reach, an environment of one variable.
 */
export async function podLikeJava(
  stack: Pick<Stack, 'dir'>,
  { confDir, tokenFile, coreSite = {}, classes = [] }: PodLikeOptions,
): Promise<PodLikeJava> {
  const marks = processMarks(stack.dir, 'java-client');
  const jars = await hadoopJars({ progress: toStderr, marks });
  const folder = await mkdtemp(join(tmpdir(), 'kerbridge-hadoop-client-'));
  for (const file of await readdir(confDir)) {
    if (file.endsWith('.xml')) {
      await writeFile(join(folder, file), await readFile(join(confDir, file)));
    }
  }
  await overrideCoreSite(join(folder, 'core-site.xml'), coreSite);
  await writeFile(join(folder, 'log4j.properties'), log4j);
  await writeFile(join(folder, 'krb5.conf'), unreachableKdc);
  return {
    command: javaProgram(),
    args: [
      '-Xmx256m',
      '-XX:+UseSerialGC',
      '-XX:TieredStopAtLevel=1',
      '-XX:-UsePerfData',
      `-Djava.security.krb5.conf=${join(folder, 'krb5.conf')}`,
      // A ticket cache of the developer's would be found by its default name.
      `-Duser.home=${folder}`,
      '-cp',
      [folder, ...classes, join(jars, '*')].join(':'),
    ],
    env: {
      ...marks,
      KRB5CCNAME: `FILE:${join(folder, 'no-ticket')}`,
      ...(tokenFile === undefined ? {} : { HADOOP_TOKEN_FILE_LOCATION: resolve(tokenFile) }),
    },
    cwd: folder,
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

/** The last value of a property in a file wins. */
async function overrideCoreSite(file: string, properties: Readonly<Record<string, string>>): Promise<void> {
  if (Object.keys(properties).length === 0) {
    return;
  }
  const text = await readFile(file, 'utf8');
  const added = /<configuration>\n([\s\S]*)<\/configuration>/.exec(hadoopXml(properties))?.[1] ?? '';
  if (!text.includes('</configuration>')) {
    throw new Error(`${file} is no Hadoop configuration`);
  }
  await writeFile(
    file,
    text.replace('</configuration>', () => `${added}</configuration>`),
  );
}
