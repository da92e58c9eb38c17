import type { Revocation, RevocationSubject } from '../../identity/revocations.ts';
import { formatTable, printable } from '../operator/format-table.ts';
import type { RevokeTask } from './run-revoke.ts';

export type RevokeResult =
  | { readonly result: 'listed'; readonly revocations: readonly Revocation[] }
  | {
      readonly result: 'taken-back' | 'not-revoked';
      readonly subject: RevocationSubject;
      readonly takenBack: readonly Revocation[];
    }
  | {
      readonly result: 'revoked' | 'already-revoked';
      readonly revocation: Revocation;
      /** The ConfigMap was not there before. */
      readonly created: boolean;
    };

/** What is printed: the result, and notes for standard error. */
export function describeResult(
  result: RevokeResult,
  { configMap, json }: Pick<RevokeTask, 'configMap' | 'json'>,
): { readonly out: string; readonly notes: readonly string[] } {
  const where = `ConfigMap ${configMap.namespace}/${configMap.name}`;
  const notes =
    'created' in result && result.created
      ? [`${where} was not there: check that serve reads this one (identity.revocationsConfigMap)`]
      : [];
  return { out: json ? toJson(result, configMap) : toText(result, where), notes };
}

function toText(result: RevokeResult, where: string): string {
  switch (result.result) {
    case 'listed':
      return result.revocations.length === 0
        ? `${where}: nobody is revoked\n`
        : formatTable(
            ['WHO', 'UNTIL', 'SINCE', 'BY', 'REASON'],
            result.revocations.map((revocation) => [
              nameOf(revocation),
              revocation.until === undefined ? 'taken back' : toTime(revocation.until),
              toTime(revocation.revokedAt),
              revocation.by ?? '',
              revocation.reason,
            ]),
          );
    case 'not-revoked':
      return `${nameOf(result.subject)} was not revoked in ${where}; nothing to take back\n`;
    case 'taken-back':
      return (
        result.takenBack.map((each) => `taken back: ${nameOf(each)}\n`).join('') +
        `Written to ${where}; known to every replica within 5 s.\n`
      );
    case 'revoked':
    case 'already-revoked': {
      const { revocation } = result;
      const until = revocation.until === undefined ? 'it is taken back' : toTime(revocation.until);
      const lines = [
        `${result.result === 'revoked' ? 'revoked' : 'revoked already'}: ${nameOf(revocation)}, until ${until}`,
        result.result === 'revoked'
          ? `Written to ${where}; in force on every replica within 5 s.`
          : `It stands in ${where}; nothing was written.`,
        'Nothing more is handed out. Tokens handed out before stay valid at Hadoop until they expire.',
        ...('pod' in revocation
          ? ['A pod created later under this name is another one: revoke its user to stop that too.']
          : []),
      ];
      return lines.map((line) => `${line}\n`).join('');
    }
  }
}

function toJson(result: RevokeResult, configMap: RevokeTask['configMap']): string {
  const document = {
    result: result.result,
    configMap,
    ...('revocation' in result ? { revocation: toPlain(result.revocation), created: result.created } : {}),
    ...('revocations' in result ? { revocations: result.revocations.map(toPlain) } : {}),
    ...('takenBack' in result ? { takenBack: result.takenBack.map(toPlain) } : {}),
  };
  return `${JSON.stringify(document, undefined, 2)}\n`;
}

/** As in the document: times in RFC 3339. */
function toPlain({ revokedAt, until, ...rest }: Revocation): Record<string, unknown> {
  return { ...rest, revokedAt: toTime(revokedAt), until: until === undefined ? null : toTime(until) };
}

function nameOf(subject: RevocationSubject): string {
  if ('user' in subject) return `user ${subject.user}`;
  const { namespace, name, uid } = subject.pod;
  return printable(`pod ${namespace}/${name}${uid === undefined ? '' : ` (UID ${uid})`}`);
}

function toTime(ms: number): string {
  return new Date(ms).toISOString();
}
