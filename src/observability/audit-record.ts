import { type CommonFields, toPlainJson } from './plain-json.ts';
import { redactFields } from './redact.ts';

/** What was decided about a request: one JSON line each. `docs/audit.md` says the same for who reads them. */
export interface AuditRecord {
  /** Version of this schema. */
  readonly audit: 1;
  /** RFC 3339, UTC, with milliseconds: when the line was made. */
  readonly time: string;
  readonly replica: string;
  readonly decision: AuditDecision;
  readonly requestId?: string | undefined;
  readonly route?: string | undefined;
  readonly method?: string | undefined;
  readonly status?: number | undefined;
  readonly code?: string | undefined;
  readonly reason?: string | undefined;
  readonly detail?: string | undefined;
  readonly dependency?: string | undefined;
  readonly sourceAddress?: string | undefined;
  readonly operator?: string | undefined;
  readonly pod?:
    | {
        readonly namespace: string;
        readonly name: string;
        readonly uid: string;
        readonly serviceAccount: string;
      }
    | undefined;
  readonly review?: ReviewedObject | undefined;
  readonly user?: string | undefined;
  readonly requester?: string | undefined;
  readonly doAs?: string | undefined;
  readonly cluster?: string | undefined;
  readonly kinds?: readonly string[] | undefined;
  readonly sequenceNumbers?: readonly number[] | undefined;
  readonly exception?: string | undefined;
  readonly endpoint?: string | undefined;
  readonly requests?: number | undefined;
}

/** What somebody wanted to do with an object, by the word of the API server. */
export interface ReviewedObject {
  readonly operation: string;
  /** With group and subresource: `deployments.apps/scale`. */
  readonly resource: string;
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
  readonly requester: string;
  /** Absent: it is meant. */
  readonly dryRun?: true | undefined;
}

/** `self-test`: about no request; the process tries whether it can write. */
export type AuditDecision =
  'allowed' | 'refused' | 'limited' | 'could-not-check' | 'malformed' | 'failed' | 'self-test';

/** What who decides has to say; the rest is the stream's. */
export type AuditEntry = Omit<AuditRecord, 'audit' | 'time' | 'replica'>;

/** What many lines have in common: whom they are about, and what was handed out. */
export type AuditCommon = CommonFields<
  Pick<
    AuditEntry,
    'sourceAddress' | 'pod' | 'user' | 'requester' | 'doAs' | 'cluster' | 'kinds' | 'sequenceNumbers'
  >
>;

/** Every field of schema version 1, in the order in which a line has them, and what it means. */
export const AUDIT_FIELDS: Readonly<
  Record<keyof AuditRecord, { readonly presence: 'always' | 'if known'; readonly meaning: string }>
> = {
  audit: { presence: 'always', meaning: 'version of this schema: 1' },
  time: { presence: 'always', meaning: 'when the line was made: RFC 3339, UTC, milliseconds' },
  replica: { presence: 'always', meaning: 'name of the process that decided' },
  decision: {
    presence: 'always',
    meaning: '`allowed`, `refused`, `limited`, `could-not-check`, `malformed`, `failed` or `self-test`',
  },
  requestId: { presence: 'if known', meaning: '`requestId` of the answer and of the log line' },
  route: { presence: 'if known', meaning: 'path of the API that was asked' },
  method: { presence: 'if known', meaning: 'HTTP method; `other` for one that HTTP does not know' },
  status: { presence: 'if known', meaning: 'HTTP status of the answer; absent when there was none' },
  code: { presence: 'if known', meaning: '`code` of the answer; `ok` or `not-modified` if allowed' },
  reason: { presence: 'if known', meaning: 'why, in one of our own words; the caller does not see it' },
  detail: {
    presence: 'if known',
    meaning: 'what is particular to this request; parts of it come from the caller',
  },
  dependency: { presence: 'if known', meaning: 'what could not be asked, or could not tell' },
  sourceAddress: { presence: 'if known', meaning: 'IP address of the caller' },
  operator: {
    presence: 'if known',
    meaning: 'the Kubernetes user who asked what only operators may',
  },
  pod: {
    presence: 'if known',
    meaning:
      'the pod that the token was made for, by the word of the API server: `namespace`, `name`, `uid`, `serviceAccount`',
  },
  review: {
    presence: 'if known',
    meaning:
      'the admission review, by the word of the API server: `operation`, `resource`, `namespace`, `name`, `requester`, `dryRun`',
  },
  user: { presence: 'if known', meaning: 'the Hadoop user that the pod speaks for' },
  requester: {
    presence: 'if known',
    meaning: 'the Kubernetes user who asked for the pod, or the controller that did, by the signed stamp',
  },
  doAs: { presence: 'if known', meaning: 'the user that the caller asked to be instead' },
  cluster: { presence: 'if known', meaning: 'the Hadoop cluster, by its name in the configuration' },
  kinds: { presence: 'if known', meaning: 'kinds of the delegation tokens' },
  sequenceNumbers: { presence: 'if known', meaning: 'sequence numbers of the delegation tokens' },
  exception: { presence: 'if known', meaning: 'Java class of the exception with which Hadoop said no' },
  endpoint: { presence: 'if known', meaning: 'the server that said so' },
  requests: {
    presence: 'if known',
    meaning: 'how many requests or connections this line stands for; absent: one',
  },
};

/** Of one line, its end included. What is no longer than PIPE_BUF (Linux: 4,096) is written whole or not at all. */
export const MAX_LINE_BYTES = 4_000;

/** Characters of one text. A line that is too long all the same is tried again with shorter ones. */
const TEXT_LIMITS = [512, 128, 32] as const;

/** The line, its end included: printable ASCII, at most {@link MAX_LINE_BYTES}; nothing in it looks like a secret. */
export function formatAuditLine(record: AuditRecord): string {
  return formatAuditEntry(record, record.time, record.replica);
}

/**
 * The same, of an entry.
 * @param common fields that stand behind the entry's own, which are then none of those that come later in the schema
 */
export function formatAuditEntry(
  entry: AuditEntry,
  time: string,
  replica: string,
  common?: AuditCommon,
): string {
  return (
    formatPlainEntry(entry, time, replica, common === undefined ? '' : common.json) ??
    formatAnyLine({ ...entry, ...common?.fields, audit: 1, time, replica })
  );
}

const OWN_FIELDS: readonly string[] = ['audit', 'time', 'replica'];
const ENTRY_FIELDS = Object.keys(AUDIT_FIELDS)
  .filter((name): name is keyof AuditEntry => !OWN_FIELDS.includes(name))
  .map((name) => ({ name, start: `,"${name}":` }));

/** Most lines: nothing in them is redacted, escaped or too long. */
function formatPlainEntry(
  entry: AuditEntry,
  time: string,
  replica: string,
  common: string | undefined,
): string | undefined {
  if (common === undefined) return undefined;
  const replicaJson = toPlainJson(replica);
  const timeJson = toPlainJson(time);
  if (replicaJson === undefined || timeJson === undefined) return undefined;
  let line = `{"audit":1,"time":${timeJson},"replica":${replicaJson}`;
  for (const { name, start } of ENTRY_FIELDS) {
    const value = entry[name];
    if (value === undefined) continue;
    const json = toPlainJson(value, 1);
    if (json === undefined) return undefined;
    line += start + json;
  }
  line += `${common}}\n`;
  return line.length <= MAX_LINE_BYTES ? line : undefined;
}

function formatAnyLine(record: AuditRecord): string {
  const known = Object.fromEntries(
    Object.keys(AUDIT_FIELDS).map((name): [string, unknown] => [name, Reflect.get(record, name)]),
  );
  const redacted = { ...redactFields(known), ...namesOf(record) };
  let line = '';
  for (const limit of TEXT_LIMITS) {
    line = `${JSON.stringify(shorten(redacted, limit))}\n`;
    if (line.length <= MAX_LINE_BYTES) break;
  }
  return line;
}

const NAME = /^[\w.$-]{1,256}$/;
/** Of Kubernetes' users and resources too. */
const REVIEW_NAME = /^[\w.$:@/-]{1,256}$/;

/**
 * Whom the line is about, as it is: a name can look like a secret, and whoever chooses it must not hide by that. These have
 * passed a grammar before they come here, or pass one now.
 */
function namesOf({ user, pod, review }: AuditRecord): Pick<AuditRecord, 'user' | 'pod' | 'review'> {
  const isPod = pod !== undefined && Object.values(pod).every((name) => NAME.test(name));
  const isReview =
    review !== undefined &&
    Object.values(review).every((name) => typeof name !== 'string' || REVIEW_NAME.test(name));
  return {
    ...(isPod ? { pod } : {}),
    ...(isReview ? { review } : {}),
    ...(user !== undefined && NAME.test(user) ? { user } : {}),
  };
}

function shorten(value: unknown, limit: number): unknown {
  if (typeof value === 'string') return value.length > limit ? `${value.slice(0, limit)}...` : value;
  if (Array.isArray(value)) return value.slice(0, limit / 8).map((each) => shorten(each, limit));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, shorten(each, limit)]));
}
