import { z } from 'zod';
import { ConfigError } from './config-problem.ts';
import { explainIssue } from './explain-issue.ts';
import { readYaml, type YamlResult } from './read-yaml.ts';

/** An entry of a revocations document. Times in ms since the epoch. */
export type RevocationEntry = ({ readonly user: string } & Terms) | ({ readonly pod: RevokedPod } & Terms);

interface Terms {
  readonly revokedAt: number;
  /** undefined: until an operator takes it back. */
  readonly until: number | undefined;
  /** One line of at most {@link MAX_REVOCATION_TEXT} printable characters; empty if none was given. */
  readonly reason: string;
  /** Who revoked; as `reason`. */
  readonly by?: string | undefined;
}

interface RevokedPod {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

/** What a ConfigMap may hold. */
export const MAX_REVOCATIONS_BYTES = 1024 * 1024;
/** Enough for the name of any service account in `by`. */
export const MAX_REVOCATION_TEXT = 512;

const rfc3339 = z
  .string({ error: 'write a time of RFC 3339, for example 2026-01-31T12:00:00Z' })
  .pipe(z.iso.datetime({ offset: true, error: 'write a time of RFC 3339, for example 2026-01-31T12:00:00Z' }))
  .transform((text) => Date.parse(text));

/** No control characters, line breaks or marks that turn the direction of what follows in a log. */
const printable = z
  .string()
  .regex(new RegExp(`^[\\p{L}\\p{M}\\p{N}\\p{P}\\p{S} ]{0,${MAX_REVOCATION_TEXT}}$`, 'u'), {
    error: `must be one line of at most ${MAX_REVOCATION_TEXT} printable characters`,
  });

const revocationSchema = z
  .strictObject({
    user: z
      .string()
      .regex(/^[A-Za-z_][A-Za-z0-9._-]{0,254}[$]?$/, {
        error: 'can match nobody: write the short name of one user, without realm and stars',
      })
      .optional(),
    pod: z
      .strictObject({
        namespace: z
          .string()
          .regex(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/, { error: 'is no name of a namespace' }),
        name: z.string().regex(/^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/, { error: 'is no name of a pod' }),
        uid: z
          .string()
          .regex(/^[A-Za-z0-9-]{1,128}$/, { error: 'is no UID: kubectl get pod -o yaml shows it' }),
      })
      .optional(),
    revokedAt: rfc3339,
    until: rfc3339.optional(),
    reason: printable.default(''),
    by: printable.optional(),
  })
  .refine(({ user, pod }) => (user === undefined) !== (pod === undefined), {
    error: 'name a user or a pod, and only one of them',
  });

const documentSchema = z.strictObject({
  version: z.literal(1, { error: 'write version: 1' }),
  revocations: z.array(revocationSchema),
});

/**
 * Reads what the revocations file and the ConfigMap (key `revocations.yaml`) hold: YAML of at most
 * {@link MAX_REVOCATIONS_BYTES}. Throws a {@link ConfigError} of all problems; values are not repeated in it.
 */
export function parseRevocations(text: string): RevocationEntry[] {
  if (Buffer.byteLength(text) > MAX_REVOCATIONS_BYTES) {
    const message = `the list is larger than ${MAX_REVOCATIONS_BYTES} bytes: take back what is no longer needed`;
    throw new ConfigError([{ path: '', message }]);
  }
  const yaml = readOwnText(text) ?? readYaml(text);
  if (!yaml.ok) throw new ConfigError(yaml.problems);
  const parsed = documentSchema.safeParse(yaml.value);
  if (!parsed.success) throw new ConfigError(parsed.error.issues.flatMap(explainIssue));
  return parsed.data.revocations.map(({ user, pod, revokedAt, until, reason, by }) => {
    const terms = { revokedAt, until, reason, ...(by === undefined ? {} : { by }) };
    if (pod !== undefined) return { pod, ...terms };
    if (user !== undefined) return { user, ...terms };
    throw new RangeError('neither user nor pod');
  });
}

/**
 * What {@link layOut} wrote, undefined for any other text. JSON.parse is some thirty times as fast as a YAML parser, which
 * needs most of a second for 5,000 entries while nothing else runs. It also takes the last of two equal keys, so a list
 * given twice would lose its first half without a word: hence no text but our own.
 */
function readOwnText(text: string): YamlResult | undefined {
  if (!text.startsWith('{')) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    const list = documentShape.safeParse(value);
    return list.success && layOut(list.data.revocations) === text ? { ok: true, value } : undefined;
  } catch {
    return undefined;
  }
}

const documentShape = z.object({ revocations: z.array(z.unknown()) });

/** JSON with a line for each entry, which is YAML too: a person can read it, and take a line out. */
function layOut(revocations: readonly unknown[]): string {
  const lines = revocations.map((revocation) => `\n    ${JSON.stringify(revocation)}`);
  const end = lines.length === 0 ? '' : '\n  ';
  return `{\n  "version": 1,\n  "revocations": [${lines.join(',')}${end}]\n}\n`;
}

/** The inverse of {@link parseRevocations}. Throws a {@link ConfigError} for what it would not read again. */
export function formatRevocations(revocations: readonly RevocationEntry[]): string {
  const text = layOut(
    revocations.map(({ revokedAt, until, reason, by, ...subject }) => ({
      ...subject,
      revokedAt: formatTime(revokedAt),
      ...(until === undefined ? {} : { until: formatTime(until) }),
      ...(reason === '' ? {} : { reason }),
      ...(by === undefined ? {} : { by }),
    })),
  );
  parseRevocations(text);
  return text;
}

/** Left as it is if it is no time, for the reading back to refuse. */
function formatTime(ms: number): string {
  const time = new Date(ms);
  return Number.isNaN(time.getTime()) ? String(ms) : time.toISOString();
}
