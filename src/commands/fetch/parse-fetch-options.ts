/** What commander found on the command line, unread. */
export interface RawFetchOptions {
  readonly url?: string;
  readonly output?: string;
  readonly serviceAccountTokenFile?: string;
  readonly caFile?: string;
  readonly cluster?: string;
  readonly kind?: readonly string[];
  readonly optional?: readonly string[];
  readonly doAs?: string;
  readonly format?: string;
  readonly timeout?: string;
  readonly deadline?: string;
  readonly mode?: string;
  readonly group?: string;
  readonly copy?: readonly string[];
  readonly watch?: true;
  readonly healthy?: true;
  readonly rejected?: true;
}

export interface FetchSettings {
  readonly url: URL;
  readonly output: string;
  readonly serviceAccountTokenFile: string;
  readonly caFile?: string;
  readonly cluster?: string;
  readonly kinds: readonly string[];
  readonly optionalKinds: readonly string[];
  readonly doAs?: string;
  readonly format: 'writable' | 'protobuf';
  readonly timeoutMs: number;
  readonly deadlineMs: number;
  readonly mode: number;
  readonly group?: number;
  readonly copies: readonly string[];
  readonly watch: boolean;
  readonly rejected: boolean;
}

export type ParsedFetchOptions =
  | { readonly ok: true; readonly action: 'healthy'; readonly output: string }
  | { readonly ok: true; readonly action: 'fetch'; readonly settings: FetchSettings }
  | { readonly ok: false; readonly problems: readonly string[] };

type Environment = Readonly<Record<string, string | undefined>>;

const DEFAULTS = {
  serviceAccountTokenFile: '/var/run/secrets/kerbridge/serviceaccount/token',
  format: 'writable',
  /**
   * Longer than serve takes: a turn among thousands for the TokenReview (41 s with the call), a look at the pod (16 s), and
   * a token of Hadoop (90 s: Kerberos with a silent KDC before a good one, and the calls after it).
   */
  timeoutSeconds: 150,
  deadlineSeconds: 300,
  mode: '0600',
} as const;

const FORMATS = ['writable', 'protobuf'] as const;
const MODES = ['0600', '0640', '0660', '0400', '0440'] as const;
const TIMEOUTS = { want: 'a whole number of seconds, 1 to 3600', min: 1, max: 3600 };
const DEADLINES = { want: 'a whole number of seconds, 0 to 86400', min: 0, max: 86_400 };
/** The one after the last is -1, which means "leave it" to the system. */
const GROUPS = { want: 'a numeric group, 0 to 4294967294', min: 0, max: 4_294_967_294 };

/** Reads options and environment; an option wins, and a variable that is empty is none. All problems at once. */
export function parseFetchOptions(raw: RawFetchOptions, env: Environment): ParsedFetchOptions {
  const reader = new OptionReader(env);
  const actions = (['watch', 'healthy', 'rejected'] as const).filter((name) => raw[name] === true);
  if (actions.length > 1) reader.problems.push(`--${actions.join(' and --')}: choose one`);
  // Of the http module it shows each header of a request. Nothing turns it off once Node runs.
  if (raw.healthy !== true && (env['NODE_DEBUG'] ?? '') !== '')
    reader.problems.push('unset NODE_DEBUG: it would print the service-account token');
  const output = reader.required('--output', raw.output, 'HADOOP_TOKEN_FILE_LOCATION', 'the file to write');
  // A probe needs nothing else, and what else is wrong the watcher has said.
  const settings = raw.healthy === true ? undefined : readSettings(raw, reader, output ?? '');
  if (reader.problems.length > 0 || output === undefined) return { ok: false, problems: reader.problems };
  return settings === undefined
    ? { ok: true, action: 'healthy', output }
    : { ok: true, action: 'fetch', settings };
}

function readSettings(raw: RawFetchOptions, reader: OptionReader, output: string): FetchSettings {
  const caFile = reader.text('--ca-file', raw.caFile, 'KERBRIDGE_CA_FILE');
  const cluster = reader.text('--cluster', raw.cluster, 'KERBRIDGE_CLUSTER');
  const doAs = reader.text('--do-as', raw.doAs, 'KERBRIDGE_DO_AS');
  const group = reader.number('--group', raw.group, 'KERBRIDGE_GROUP', GROUPS);
  const copies = reader.list('--copy', raw.copy, 'KERBRIDGE_COPIES', ':');
  return {
    url: readUrl(raw.url, reader),
    output,
    serviceAccountTokenFile:
      reader.text(
        '--service-account-token-file',
        raw.serviceAccountTokenFile,
        'KERBRIDGE_SERVICE_ACCOUNT_TOKEN_FILE',
      ) ?? DEFAULTS.serviceAccountTokenFile,
    kinds: reader.list('--kind', raw.kind, 'KERBRIDGE_KINDS', ','),
    optionalKinds: reader.list('--optional', raw.optional, 'KERBRIDGE_OPTIONAL_KINDS', ','),
    format: reader.choice('--format', raw.format, 'KERBRIDGE_FORMAT', FORMATS) ?? DEFAULTS.format,
    timeoutMs:
      1000 *
      (reader.number('--timeout', raw.timeout, 'KERBRIDGE_TIMEOUT', TIMEOUTS) ?? DEFAULTS.timeoutSeconds),
    deadlineMs:
      1000 *
      (reader.number('--deadline', raw.deadline, 'KERBRIDGE_DEADLINE', DEADLINES) ??
        DEFAULTS.deadlineSeconds),
    mode: Number.parseInt(reader.choice('--mode', raw.mode, 'KERBRIDGE_MODE', MODES) ?? DEFAULTS.mode, 8),
    copies: [...new Set(copies)].filter((copy) => copy !== output),
    watch: raw.watch === true,
    rejected: raw.rejected === true,
    ...(caFile === undefined ? {} : { caFile }),
    ...(cluster === undefined ? {} : { cluster }),
    ...(doAs === undefined ? {} : { doAs }),
    ...(group === undefined ? {} : { group }),
  };
}

const NOWHERE = new URL('http://localhost');

function readUrl(raw: string | undefined, reader: OptionReader): URL {
  const text = reader.required(
    '--url',
    raw,
    'KERBRIDGE_URL',
    'where kerbridge serve is, https://host[:port]',
  );
  if (text === undefined) return NOWHERE;
  // The text itself is in no message: it may have a password.
  const url = /^https?:\/\//i.test(text) && URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined) {
    reader.bad('--url', 'KERBRIDGE_URL', 'want http(s)://host[:port][/prefix]');
  } else if (url.username !== '' || url.password !== '') {
    reader.bad('--url', 'KERBRIDGE_URL', 'no user or password in the URL');
  } else if (url.search !== '' || url.hash !== '') {
    reader.bad('--url', 'KERBRIDGE_URL', 'no query or fragment in the URL');
  }
  return url ?? NOWHERE;
}

interface Range {
  readonly want: string;
  readonly min: number;
  readonly max: number;
}

/** Takes each value from the option or its variable, and collects what is wrong with them. */
class OptionReader {
  readonly problems: string[] = [];
  readonly #env: Environment;

  constructor(env: Environment) {
    this.#env = env;
  }

  text(option: string, raw: string | undefined, variable: string): string | undefined {
    if (raw === '') this.problems.push(`${option} is empty: give it a value or leave it out`);
    const value = raw ?? this.#env[variable];
    return value === '' ? undefined : value;
  }

  required(option: string, raw: string | undefined, variable: string, what: string): string | undefined {
    const value = this.text(option, raw, variable);
    if (value === undefined && raw !== '') {
      this.problems.push(`${option} (or ${variable}) is missing: ${what}`);
    }
    return value;
  }

  choice<T extends string>(
    option: string,
    raw: string | undefined,
    variable: string,
    choices: readonly T[],
  ): T | undefined {
    const text = this.text(option, raw, variable);
    const chosen = choices.find((choice) => choice === text);
    if (text !== undefined && chosen === undefined) {
      this.bad(option, variable, `want one of ${choices.join(', ')}`);
    }
    return chosen;
  }

  number(option: string, raw: string | undefined, variable: string, range: Range): number | undefined {
    const text = this.text(option, raw, variable);
    if (text === undefined) return undefined;
    const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= range.min && value <= range.max) return value;
    this.bad(option, variable, `want ${range.want}`);
    return undefined;
  }

  /** The option is repeated; the variable has all of them: without blanks around each, and an empty one is none. */
  list(
    option: string,
    raw: readonly string[] | undefined,
    variable: string,
    separator: string,
  ): readonly string[] {
    if (raw?.includes('') === true) this.text(option, '', variable);
    if (raw !== undefined) return raw;
    const parts = (this.#env[variable] ?? '').split(separator).map((part) => part.trim());
    return parts.filter((part) => part !== '');
  }

  bad(option: string, variable: string, want: string): void {
    this.problems.push(`${option} (or ${variable}): ${want}`);
  }
}
