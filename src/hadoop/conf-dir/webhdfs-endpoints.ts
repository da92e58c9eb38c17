import type { HadoopClusterConfiguration } from './hadoop-cluster-configuration.ts';
import { HadoopConfigurationError } from './hadoop-configuration-error.ts';
import { formatHostPort } from './host-port.ts';
import type { NameNode, Nameservice } from './nameservice.ts';

export interface WebHdfsEndpoint {
  readonly nameNodeId: string;
  /** `https://host:port/webhdfs/v1`, no slash at the end. */
  readonly baseUrl: string;
  /** Authenticate to `HTTP@<spnHost>`. */
  readonly spnHost: string;
}

export interface WebHdfsEndpointOptions {
  /** Tokens may travel in clear text; see the setting of the same name. */
  readonly allowPlainHttp: boolean;
}

/**
 * The WebHDFS endpoints of a nameservice, one per NameNode, in the order of the configuration: HTTPS whenever
 * `dfs.http.policy` has it, plain HTTP only if that is allowed. Throws HadoopConfigurationError otherwise.
 */
export function webHdfsEndpoints(
  cluster: Pick<HadoopClusterConfiguration, 'httpPolicy' | 'webHdfsEnabled'>,
  nameservice: Nameservice,
  { allowPlainHttp }: WebHdfsEndpointOptions,
): readonly WebHdfsEndpoint[] {
  if (!cluster.webHdfsEnabled) {
    const message = 'is false, but delegation tokens are fetched through WebHDFS; set it to true';
    throw new HadoopConfigurationError({ property: 'dfs.webhdfs.enabled', message });
  }
  const secure = cluster.httpPolicy !== 'HTTP_ONLY';
  if (!secure && !allowPlainHttp) {
    const message =
      'is HTTP_ONLY, so delegation tokens would travel in clear text; set it to HTTPS_ONLY or HTTP_AND_HTTPS ' +
      'in hdfs-site.xml, or set allowPlainHttp: true for this cluster';
    throw new HadoopConfigurationError({ property: 'dfs.http.policy', message });
  }
  return nameservice.nameNodes.map((nameNode) => {
    const address = webAddress(nameNode, secure);
    if (address.port === 0) {
      const message = `the port of NameNode ${nameNode.id} of ${nameservice.name} is 0; set a fixed port`;
      throw new HadoopConfigurationError({
        property: `dfs.namenode.${secure ? 'https' : 'http'}-address`,
        message,
      });
    }
    const baseUrl = `${secure ? 'https' : 'http'}://${formatHostPort(address)}/webhdfs/v1`;
    return Object.freeze({ nameNodeId: nameNode.id, baseUrl, spnHost: nameNode.spnHost });
  });
}

function webAddress(nameNode: NameNode, secure: boolean): { readonly host: string; readonly port: number } {
  return secure
    ? { host: nameNode.httpsHost, port: nameNode.httpsPort }
    : { host: nameNode.httpHost, port: nameNode.httpPort };
}
