import { formatTable } from '../operator/format-table.ts';
import { namesOf, type Retirement } from './change-keys.ts';
import type { KeySet } from './key-set.ts';
import type { PublishedKeys } from './published-keys.ts';
import type { StampKeysTask } from './run-stamp-keys.ts';
import type { StampedPods } from './stamped-pods.ts';

export type StampKeysResult =
  | {
      readonly result: 'listed';
      readonly keySet: KeySet;
      readonly published: PublishedKeys;
      /** Or why they could not be counted. */
      readonly pods: StampedPods | { readonly message: string; readonly exitCode: number };
    }
  | { readonly result: 'announced' | 'already-signs'; readonly kid: string }
  | { readonly result: 'promoted'; readonly kid: string; readonly before: string }
  | {
      readonly result: 'retired';
      readonly kid: string;
      readonly pods: Retirement['pods'];
      readonly stolen: boolean;
    };

type Listed = Extract<StampKeysResult, { readonly result: 'listed' }>;
type Target = Pick<StampKeysTask, 'secret' | 'json'>;

/** What is printed: the result, and notes for standard error. Of a key nothing but its kid. */
export function describeResult(
  result: StampKeysResult,
  target: Target,
): { readonly out: string; readonly notes: readonly string[] } {
  const out = target.json
    ? `${JSON.stringify({ result: result.result, secret: target.secret, ...plainOf(result) }, undefined, 2)}\n`
    : linesOf(result, target)
        .map((line) => `${line}\n`)
        .join('');
  return { out, notes: notesOf(result) };
}

function notesOf(result: StampKeysResult): readonly string[] {
  if (result.result === 'listed' && 'message' in result.pods) {
    return [`could not count the pods: ${result.pods.message}`];
  }
  if (result.result === 'retired' && 'notKnown' in result.pods) {
    return [`could not count the pods that carry its stamp: ${result.pods.notKnown}`];
  }
  return [];
}

interface Row {
  readonly kid: string;
  /** `retired`: published still, and no longer in the Secret. */
  readonly role: 'signs' | 'announced' | 'verifies' | 'retired';
  readonly published: boolean;
  readonly pods: number | null;
}

function rowsOf({ keySet, published, pods }: Listed): readonly Row[] {
  const kids = keySet.keys.map(({ kid }) => kid);
  const count = (kid: string): number | null => ('of' in pods ? pods.of(kid).count : null);
  return [
    ...kids.map((kid, index): Row => {
      const role = index === 0 ? 'signs' : keySet.announced.includes(kid) ? 'announced' : 'verifies';
      return { kid, role, published: published.kids.includes(kid), pods: count(kid) };
    }),
    ...published.kids
      .filter((kid) => !kids.includes(kid))
      .map((kid): Row => ({ kid, role: 'retired', published: true, pods: null })),
  ];
}

function linesOf(result: StampKeysResult, { secret }: Target): readonly string[] {
  const { namespace, name } = secret;
  const written = `Written to Secret ${namespace}/${name}.`;
  const command = (rest: string): string => `kerbridge stamp-keys ${rest}${optionsOf(secret)}`;
  switch (result.result) {
    case 'listed':
      return listOf(result, `ConfigMap ${namespace}/${name}`);
    case 'announced':
      return [
        `announced: ${result.kid}, which verifies and does not sign yet`,
        `${written} decorate publishes it within 30 s, and every serve has it a minute or two later.`,
        `Next, in six minutes or later: ${command(`promote --key ${result.kid}`)}`,
      ];
    case 'already-signs':
      return [`signs already: ${result.kid}; nothing was written`];
    case 'promoted':
      return [
        `promoted: ${result.kid}, which signs in the place of ${result.before}`,
        `${written} Every decorate takes it up within 30 s. Stamps of ${result.before} stay good.`,
        `Next, when no pod carries a stamp of ${result.before} (${command('list')}) and templates of before were changed or claimed:`,
        `  ${command(`retire --key ${result.before}`)}`,
      ];
    case 'retired': {
      const { kid, pods } = result;
      const losers =
        'count' in pods && pods.count > 0
          ? [`${pods.count} live pod(s) get nothing more until they are made anew: ${namesOf(pods)}`]
          : [];
      return [
        `retired: ${kid}`,
        `${written} decorate publishes that within 30 s, and every serve has it a minute or two later${
          result.stolen ? '; one that is restarted after the 30 s has it at once' : ''
        }.`,
        ...losers,
        'Workloads whose template has its stamp get no new pods until the template is changed, or claimed by its owner (kerbridge.dev/claim).',
        `Next, in a minute: ${command('list')}, which must not show it any more`,
      ];
    }
  }
}

function listOf(listed: Listed, configMap: string): readonly string[] {
  const { keySet, published, pods } = listed;
  const table = formatTable(
    ['KEY', 'ROLE', 'PUBLISHED', 'PODS'],
    rowsOf(listed).map((row) => [
      row.kid,
      row.role,
      row.published ? 'yes' : 'no',
      row.role === 'retired' ? '' : (row.pods?.toString() ?? '?'),
    ]),
  );
  const [first] = published.kids;
  const [signing] = keySet.keys;
  return [
    table.trimEnd(),
    first === undefined
      ? `${configMap} has no valid keys: decorate publishes them; is it running?`
      : `${configMap} was written ${published.writtenAt === undefined ? 'at a time that is not known' : new Date(published.writtenAt).toISOString()}.`,
    ...(first === undefined || first === signing.kid
      ? []
      : [`It does not say yet that ${signing.kid} signs: decorate takes that up within 30 s.`]),
    ...('unknown' in pods && pods.unknown > 0
      ? [`${pods.unknown} live pod(s) carry a stamp that is of none of these keys, or not theirs.`]
      : []),
  ];
}

function plainOf(result: StampKeysResult): object {
  switch (result.result) {
    case 'listed':
      return {
        keys: rowsOf(result),
        publishedAt:
          result.published.writtenAt === undefined
            ? null
            : new Date(result.published.writtenAt).toISOString(),
        podsOfNone: 'unknown' in result.pods ? result.pods.unknown : null,
      };
    case 'retired': {
      const { kid, pods } = result;
      return { kid, pods: 'count' in pods ? pods.count : null, named: 'named' in pods ? pods.named : [] };
    }
    case 'announced':
    case 'already-signs':
      return { kid: result.kid };
    case 'promoted':
      return { kid: result.kid, before: result.before };
  }
}

/** What the next command has to be told as this one was. */
function optionsOf({ namespace, name }: StampKeysTask['secret']): string {
  return (
    (namespace === 'kerbridge' ? '' : ` --namespace ${namespace}`) +
    (name === 'kerbridge-stamp-keys' ? '' : ` --secret ${name}`)
  );
}
