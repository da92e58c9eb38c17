/** One NameNode's (or Router's) HTTP side. */
export interface NameNode {
  /** As in `dfs.ha.namenodes.<nameservice>`, or any name where there is one NameNode only; for messages. */
  readonly id: string;
  /** `scheme://host:port` of its HTTP server. */
  readonly origin: string;
  /** The host of its HTTP principal, `HTTP/<host>@REALM`. */
  readonly spnHost: string;
}
