/**
 * The values of Hadoop's core-default.xml that matter here (3.4; the same since 2.8).
 * Loaded before core-site.xml.
 */
export const CORE_DEFAULTS: ReadonlyMap<string, string> = new Map([
  ['fs.defaultFS', 'file:///'],
  ['hadoop.security.authentication', 'simple'],
  ['hadoop.security.token.service.use_ip', 'true'],
]);

/**
 * The values of Hadoop's hdfs-default.xml that matter here (3.x; the web ports of 2.x were 50070 and 50470).
 * `HdfsConfiguration` loads them between core-site.xml and hdfs-site.xml, so they override core-site.xml.
 */
export const HDFS_DEFAULTS: ReadonlyMap<string, string> = new Map([
  ['dfs.http.policy', 'HTTP_ONLY'],
  ['dfs.namenode.http-address', '0.0.0.0:9870'],
  ['dfs.namenode.https-address', '0.0.0.0:9871'],
  ['dfs.namenode.kerberos.internal.spnego.principal', '${dfs.web.authentication.kerberos.principal}'],
]);

/** `HdfsClientConfigKeys`: used where a URI or an address names no port. */
export const DEFAULT_RPC_PORT = 8020;
export const DEFAULT_HTTP_PORT = 9870;
export const DEFAULT_HTTPS_PORT = 9871;

/** Old names that `Configuration` and `HdfsConfiguration` still take for the new ones. */
const DEPRECATED_KEYS: ReadonlyMap<string, string> = new Map([
  ['fs.default.name', 'fs.defaultFS'],
  ['dfs.federation.nameservices', 'dfs.nameservices'],
  ['dfs.federation.nameservice.id', 'dfs.nameservice.id'],
  ['dfs.http.address', 'dfs.namenode.http-address'],
  ['dfs.https.address', 'dfs.namenode.https-address'],
  ['dfs.encryption.key.provider.uri', 'hadoop.security.key.provider.path'],
]);

export function currentKey(name: string): string {
  return DEPRECATED_KEYS.get(name) ?? name;
}
