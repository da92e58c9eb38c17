import { DEFAULT_RPC_PORT } from './defaults-and-deprecations.ts';
import { HadoopConfigurationError, type ProblemCollector } from './hadoop-configuration-error.ts';
import type { HadoopProperties } from './hadoop-properties.ts';
import { defaultFsReference, mountLinkReferences, type HdfsReference } from './hdfs-references.ts';
import { formatHostPort, type HostPort } from './host-port.ts';
import type { NameNode, Nameservice } from './nameservice.ts';
import { readNameNode, readRpcAddress, suffixed, type NameNodeKey } from './read-name-node.ts';

const FAILOVER_PROVIDER = 'dfs.client.failover.proxy.provider';
const HA_NAME_NODES = 'dfs.ha.namenodes';
/** What `java.net.URI` takes for a host. */
const NAMESERVICE_ID = /^[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?$/;

export interface NameservicesResult {
  readonly nameservices: readonly Nameservice[];
  /** Entries of `dfs.nameservices` that belong to other clusters, by `dfs.internal.nameservices`. */
  readonly externalNameservices: readonly string[];
}

/** A nameservice while authorities are still added to it. */
type Draft = Omit<Nameservice, 'authorities'> & { readonly authorities: HostPort[] };

/**
 * Every HDFS namespace of the configuration: the default file system, the nameservices (internal ones if
 * `dfs.internal.nameservices` says which), and the targets of viewfs mount links, in that order, each once.
 */
export function readNameservices(
  properties: HadoopProperties,
  problems: ProblemCollector,
): NameservicesResult {
  return new NameservicesReader(properties, problems).read();
}

class NameservicesReader {
  readonly #properties: HadoopProperties;
  readonly #problems: ProblemCollector;
  readonly #configured: readonly string[];
  readonly #defaultFs: HdfsReference | undefined;
  /** By nameservice id, or by `host:port`. Undefined stands for one whose problem is already reported. */
  readonly #drafts = new Map<string, Draft | undefined>();

  constructor(properties: HadoopProperties, problems: ProblemCollector) {
    this.#properties = properties;
    this.#problems = problems;
    this.#configured = [...new Set(problems.attempt(() => properties.getList('dfs.nameservices')))];
    this.#defaultFs = problems.attempt(() => defaultFsReference(properties, problems));
  }

  read(): NameservicesResult {
    const internal = this.#internalNameservices();
    if (this.#defaultFs !== undefined) this.#refer(this.#defaultFs);
    for (const id of internal) this.#problems.attempt(() => this.#draftOf(id));
    for (const reference of mountLinkReferences(this.#properties, this.#problems)) this.#refer(reference);
    return {
      nameservices: Object.freeze([...this.#drafts.values()].flatMap((draft) => draft ?? []).map(freeze)),
      externalNameservices: Object.freeze(this.#configured.filter((id) => !internal.includes(id))),
    };
  }

  #internalNameservices(): readonly string[] {
    const property = 'dfs.internal.nameservices';
    const internal = this.#problems.attempt(() => this.#properties.getList(property)) ?? [];
    const unknown = internal.filter((id) => !this.#configured.includes(id));
    if (unknown.length > 0) {
      const message = `names ${unknown.join(', ')}, which dfs.nameservices does not list; add it there`;
      this.#problems.add(this.#properties.problem(property, message));
    }
    return internal.length === 0 ? this.#configured : this.#configured.filter((id) => internal.includes(id));
  }

  #refer({ property, host, port }: HdfsReference): void {
    this.#problems.attempt(() => {
      if (this.#isLogical(host)) {
        if (port !== undefined) {
          const message = `the nameservice ${host} is highly available, so its URI has no port: remove ":${port}"`;
          throw this.#properties.error(property, message);
        }
        this.#draftOf(host);
        return;
      }
      const authority = { host: host.toLowerCase(), port: port ?? DEFAULT_RPC_PORT };
      const owner = this.#configured.find((id) => this.#hasAddress(id, authority));
      const draft = owner === undefined ? undefined : this.#draftOf(owner);
      if (draft !== undefined) {
        addAuthority(draft, authority);
      } else if (owner === undefined) {
        if (port === undefined) this.#refuseUnlistedName(property, host);
        this.#addPlainNameNode(property, authority);
      }
    });
  }

  /** Clients take the host of a URI for a logical name if a failover provider is configured for it. */
  #isLogical(host: string): boolean {
    const provider = this.#provider(host);
    if (provider !== undefined) return !isVirtualIpProvider(provider);
    return this.#properties.getList(suffixed(HA_NAME_NODES, { nameservice: host })).length > 1;
  }

  #provider(nameservice: string): string | undefined {
    return this.#properties.getTrimmed(suffixed(FAILOVER_PROVIDER, { nameservice }));
  }

  #refuseUnlistedName(property: string, host: string): void {
    if (this.#configured.includes(host)) {
      const provider = suffixed(FAILOVER_PROVIDER, { nameservice: host });
      const message = `names the nameservice ${host}, but without ${provider} clients take that for a host; set it, or write hdfs://host:port`;
      throw this.#properties.error(property, message);
    }
    if (this.#configured.length > 0 && !/[.:]/.test(host) && host !== 'localhost') {
      const listed = this.#configured.join(', ');
      const message = `"${host}" is not in dfs.nameservices (${listed}); add it there, or write hdfs://${host}:${DEFAULT_RPC_PORT} if it is a host`;
      throw this.#properties.error(property, message);
    }
  }

  #addPlainNameNode(property: string, authority: HostPort): void {
    const name = formatHostPort(authority);
    const known = [...this.#drafts.values()].find(
      (draft) =>
        draft?.name === name || draft?.nameNodes.some((nameNode) => isSame(rpcOf(nameNode), authority)),
    );
    if (known !== undefined) {
      addAuthority(known, authority);
      return;
    }
    // Without nameservices, dfs.namenode.rpc-address tells where the NameNode of the default file system really is.
    const isOnly = property === 'fs.defaultFS' && this.#configured.length === 0;
    const rpc = (isOnly ? readRpcAddress(this.#properties, {}) : undefined) ?? authority;
    const nameNodes = Object.freeze([readNameNode(this.#properties, name, {}, rpc)]);
    this.#drafts.set(name, { name, ha: false, logicalUri: false, authorities: [authority], nameNodes });
  }

  #draftOf(id: string): Draft | undefined {
    if (!this.#drafts.has(id)) {
      this.#drafts.set(id, undefined);
      this.#drafts.set(id, this.#readNameservice(id));
    }
    return this.#drafts.get(id);
  }

  #readNameservice(id: string): Draft {
    if (!NAMESERVICE_ID.test(id)) {
      const message = `"${id}" can't stand in an hdfs:// URI; use letters, digits, dots and hyphens`;
      throw this.#properties.error('dfs.nameservices', message);
    }
    if (!this.#configured.includes(id)) {
      const message = `does not list ${id}, which is in use and has settings for high availability; add it`;
      throw this.#properties.error('dfs.nameservices', message);
    }
    const provider = this.#provider(id);
    const ha = provider !== undefined || this.#isLogical(id);
    if (ha && provider === undefined) {
      const property = suffixed(FAILOVER_PROVIDER, { nameservice: id });
      this.#properties.warn({ property, message: `is not set, so clients can't use hdfs://${id}; set it` });
    }
    const logicalUri = ha && !isVirtualIpProvider(provider ?? '');
    const nameNodes = this.#keysOf(id).flatMap((key) => {
      const nameNode = this.#problems.attempt(() => {
        const rpc = this.#rpcAddress(key);
        if (rpc !== undefined) return readNameNode(this.#properties, key.nameNode ?? id, key, rpc);
        const property = suffixed('dfs.namenode.rpc-address', key);
        throw this.#properties.error(property, 'is not set; set it to the host:port of the NameNode');
      });
      return nameNode ?? [];
    });
    let authorities: HostPort[] = [];
    // With IPFailoverProxyProvider the nameservice is the host name of the virtual address.
    if (!logicalUri)
      authorities = ha ? [{ host: id.toLowerCase(), port: DEFAULT_RPC_PORT }] : nameNodes.map(rpcOf);
    const [first] = authorities;
    const name = first === undefined ? id : formatHostPort(first);
    return { name, ha, logicalUri, authorities, nameNodes: Object.freeze(nameNodes) };
  }

  #keysOf(nameservice: string): readonly NameNodeKey[] {
    const ids = new Set(this.#properties.getList(suffixed(HA_NAME_NODES, { nameservice })));
    return ids.size === 0 ? [{ nameservice }] : [...ids].map((nameNode) => ({ nameservice, nameNode }));
  }

  #rpcAddress(key: NameNodeKey): HostPort | undefined {
    const own = readRpcAddress(this.#properties, key);
    if (own !== undefined || key.nameNode !== undefined || this.#configured.length !== 1) return own;
    // The only nameservice may be set up as if there were none.
    const general = readRpcAddress(this.#properties, {});
    if (general !== undefined || this.#defaultFs === undefined) return general;
    const { host, port } = this.#defaultFs;
    return host === key.nameservice
      ? undefined
      : { host: host.toLowerCase(), port: port ?? DEFAULT_RPC_PORT };
  }

  /** Whether clients reach this nameservice at the address. Its problems are reported when it is read. */
  #hasAddress(id: string, authority: HostPort): boolean {
    if (isVirtualIpProvider(this.#provider(id) ?? '')) return id.toLowerCase() === authority.host;
    return this.#keysOf(id).some((key) => {
      try {
        const rpc = this.#rpcAddress(key);
        return rpc !== undefined && isSame(rpc, authority);
      } catch (error) {
        if (error instanceof HadoopConfigurationError) return false;
        throw error;
      }
    });
  }
}

function isVirtualIpProvider(provider: string): boolean {
  return provider.endsWith('.IPFailoverProxyProvider');
}

function isSame(one: HostPort, other: HostPort): boolean {
  return one.host === other.host && one.port === other.port;
}

function addAuthority(draft: Draft, authority: HostPort): void {
  if (!draft.authorities.some((known) => isSame(known, authority))) draft.authorities.push(authority);
}

function rpcOf({ rpcHost, rpcPort }: NameNode): HostPort {
  return { host: rpcHost, port: rpcPort };
}

function freeze(draft: Draft): Nameservice {
  return Object.freeze({
    ...draft,
    authorities: Object.freeze(draft.authorities.map((authority) => Object.freeze(authority))),
  });
}
