/** What is injected, as the administrator has configured it. */
export interface Injection {
  readonly image: string;
  /** What is run in it: the image `kerbridge` has the one, `kerbridge-fetch` the other. */
  readonly program: 'kerbridge' | 'fetch-credentials.sh';
  /** Of `serve`. */
  readonly url: string;
  readonly audience: string;
  /** Where the pod names none. undefined: the first of `serve`. */
  readonly cluster: string | undefined;
  /** In the pod's namespace. undefined: the authorities that the image trusts. */
  readonly authority: { readonly configMap: string; readonly key: string } | undefined;
  /** In the pod's namespace: a Hadoop conf dir. */
  readonly hadoopConf: { readonly configMap: string; readonly krb5Conf: boolean } | undefined;
  /** Of the token file: every process of the pod is made a member. */
  readonly group: number;
  readonly resources: {
    readonly cpu: string;
    readonly memory: string;
    /** undefined: none. */
    readonly cpuLimit: string | undefined;
  };
}

/** On pods: `true`, `init`, `sidecar` or `false`. */
export const INJECT_LABEL = 'kerbridge.dev/inject';
/** Names of containers, with commas: only these get the tokens. */
export const CONTAINERS_ANNOTATION = 'kerbridge.dev/inject-containers';
/** Which Hadoop cluster. */
export const CLUSTER_ANNOTATION = 'kerbridge.dev/cluster';
/** Ours, on the pod: the containers that got the tokens. What is validated is that these still have them. */
export const INJECTED_ANNOTATION = 'kerbridge.dev/injected';

export const INIT_CONTAINER = 'kerbridge-fetch';
export const SIDECAR_CONTAINER = 'kerbridge-watch';
export const TOKENS_VOLUME = 'kerbridge-tokens';
export const ACCOUNT_VOLUME = 'kerbridge-service-account';
export const AUTHORITY_VOLUME = 'kerbridge-authority';
export const CONF_VOLUME = 'kerbridge-hadoop-conf';

export const TOKENS_FOLDER = '/var/run/kerbridge';
export const TOKEN_FILE = `${TOKENS_FOLDER}/hadoop.token`;
/** Where the fetchers look by themselves. */
export const ACCOUNT_FOLDER = '/var/run/secrets/kerbridge/serviceaccount';
export const AUTHORITY_FOLDER = '/etc/kerbridge';
export const CONF_FOLDER = '/etc/kerbridge/hadoop-conf';
export const KRB5_CONF = '/etc/krb5.conf';
