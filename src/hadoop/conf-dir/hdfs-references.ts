import { DEFAULT_RPC_PORT } from './defaults-and-deprecations.ts';
import type { ProblemCollector } from './hadoop-configuration-error.ts';
import type { HadoopProperties } from './hadoop-properties.ts';
import { parseHostPort, withoutRootDot } from './host-port.ts';

/** The authority of an hdfs:// URI that some property holds. */
export interface HdfsReference {
  readonly property: string;
  /** As written: the case of a nameservice matters. An IPv6 address has no brackets. */
  readonly host: string;
  readonly port: number | undefined;
}

/** The default file system, if it is HDFS. */
export function defaultFsReference(
  properties: HadoopProperties,
  problems: ProblemCollector,
): HdfsReference | undefined {
  return referencesOf('fs.defaultFS', [readDefaultFs(properties)], properties, problems)[0];
}

/** `fs.defaultFS` with the scheme that Hadoop adds to the old form `host:port`. */
export function readDefaultFs(properties: HadoopProperties): string {
  const uri = properties.getTrimmed('fs.defaultFS') ?? 'file:///';
  return uri.includes('/') || uri === 'local' ? uri : `hdfs://${uri}`;
}

/** Targets of all viewfs mount links that are HDFS, in the order of the configuration. */
export function mountLinkReferences(
  properties: HadoopProperties,
  problems: ProblemCollector,
): readonly HdfsReference[] {
  return properties
    .names()
    .filter(isMountLink)
    .flatMap((property) => {
      const targets = problems.attempt(() => properties.getList(property)) ?? [];
      return referencesOf(property, targets, properties, problems);
    });
}

/** `fs.viewfs.mounttable.<table>.link./path`, linkFallback, linkMergeSlash, linkMerge, linkNfly, linkRegex. */
function isMountLink(property: string): boolean {
  return /^fs\.viewfs\.mounttable\..+\.link(?:Fallback$|MergeSlash$|(?:Merge|Nfly|Regex)?\.)/.test(property);
}

function referencesOf(
  property: string,
  uris: readonly string[],
  properties: HadoopProperties,
  problems: ProblemCollector,
): readonly HdfsReference[] {
  return uris.flatMap((uri) => {
    const authority = /^hdfs:\/\/([^/?#]*)/i.exec(uri)?.[1];
    // linkRegex may take the host from the path that it matches: nothing to know in advance.
    if (authority === undefined || authority.includes('$')) return [];
    const parsed = parseHostPort(authority, DEFAULT_RPC_PORT);
    if (parsed === undefined || parsed.port === 0) {
      const message = `"hdfs://${authority}" names no host; write hdfs://nameservice or hdfs://host:port`;
      problems.add(properties.problem(property, message));
      return [];
    }
    const port = /:[0-9]+$/.test(authority.replace(/^\[.*\]/, '')) ? parsed.port : undefined;
    const host = authority.startsWith('[') ? parsed.host : withoutRootDot(authority.replace(/:.*/, ''));
    return [{ property, host, port }];
  });
}
