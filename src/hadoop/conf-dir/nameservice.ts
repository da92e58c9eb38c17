import type { HostPort } from './host-port.ts';

/** A NameNode (active, standby or observer) or a router of router-based federation. */
export interface NameNode {
  /** From `dfs.ha.namenodes.<nameservice>`; without HA the nameservice, or `host:port` if that has no name either. */
  readonly id: string;
  readonly rpcHost: string;
  readonly rpcPort: number;
  readonly httpHost: string;
  readonly httpPort: number;
  readonly httpsHost: string;
  readonly httpsPort: number;
  /** The host of its SPNEGO principal: authenticate to `HTTP@<spnHost>`. */
  readonly spnHost: string;
}

/** One HDFS namespace: one delegation token each. */
export interface Nameservice {
  /** With HA the logical name, else `host:port` of the NameNode as clients write it. */
  readonly name: string;
  /** Clients fail over between the NameNodes. */
  readonly ha: boolean;
  /** Clients use the name in URIs and look for `ha-hdfs:<name>`; false also for HA behind a virtual IP. */
  readonly logicalUri: boolean;
  /** The `host:port` that clients write in hdfs:// URIs; may be empty with a logical URI. */
  readonly authorities: readonly HostPort[];
  readonly nameNodes: readonly NameNode[];
}
