/** A requesters file after it was checked: docs/requesters.md says what it may hold. */
export interface RequestersDocument {
  /** Of Hadoop users, for the delegates. */
  readonly groups: ReadonlyMap<string, readonly string[]>;
  /** Exact user names, or {@link BUILTIN_CONTROLLERS}. */
  readonly trustedControllers: readonly string[];
  readonly delegates: readonly DelegateEntry[];
  /** The first that fits counts. */
  readonly rules: readonly RequesterRule[];
  /** Plain user names that no rule fits. */
  readonly otherRequesters: 'themselves' | 'none';
  readonly exempt: readonly ExemptEntry[];
}

/** An account that names users by the user annotation. */
export interface DelegateEntry {
  /** An exact user name. */
  readonly account: string;
  /** Names, globs, `group:<name>`. */
  readonly users: readonly string[];
  readonly namespaces: readonly string[];
  /** What becomes of an object that names nobody: refused, or the account is a requester like others. */
  readonly withoutUser: 'refuse' | 'as-others';
}

/** Whom an entry is about: both must fit, of each list one. A star stands for one character or more. */
export interface Who {
  /** undefined: anybody without `system:`. */
  readonly usernames: readonly string[] | undefined;
  /** undefined: whatever groups. */
  readonly groups: readonly string[] | undefined;
}

export interface RequesterRule extends Who {
  /** undefined: everywhere. */
  readonly namespaces: readonly string[] | undefined;
  /** `user`: with `$1` to `$9` for what the stars of the user name stand for. */
  readonly result: 'refuse' | { readonly user: string; readonly lowerCase: boolean };
}

/** What the guard forbids to all but the stamped user. */
export type Exemption = (typeof EXEMPTIONS)[number];

export const EXEMPTIONS = [
  /** exec, attach, portforward, proxy. */
  'connect',
  'images',
  'ephemeral-containers',
  /** Whose change of another's template leaves it that user's. */
  'keep-identity',
] as const;

export interface ExemptEntry extends Who {
  readonly namespaces: readonly string[] | undefined;
  readonly from: readonly Exemption[];
}

/** Stands for the workload controllers of Kubernetes, with `--use-service-account-credentials`. */
export const BUILTIN_CONTROLLERS = 'builtin';

const BUILTIN_CONTROLLER_NAMES: readonly string[] = [
  'deployment',
  'replicaset',
  'statefulset',
  'daemon-set',
  'job',
  'cronjob',
  'replication',
].map((name) => `system:serviceaccount:kube-system:${name}-controller`);

/** User names, with the built-in ones in place of their name. */
export function expandControllers(entries: readonly string[]): Set<string> {
  return new Set(
    entries.flatMap((entry) => (entry === BUILTIN_CONTROLLERS ? BUILTIN_CONTROLLER_NAMES : [entry])),
  );
}
