import {
  readServiceAccountToken,
  ServiceAccountTokenFileError,
} from '../../fetch-client/read-service-account-token.ts';
import type { Secret } from '../../observability/secret.ts';
import { explainKubernetesFailure } from '../operator/explain-failure.ts';
import { formatTable, printable } from '../operator/format-table.ts';
import { type KubernetesOptions, type ObjectId, OPERATOR_EXIT } from '../operator/operator-command.ts';
import { withKubernetes } from '../operator/with-kubernetes.ts';
import type { Terminal } from '../terminal.ts';
import { type ListedTokens, requestTokens, type TokensReply } from './request-tokens.ts';
import { CaFileError, readCaFile } from '../../fetch-client/read-ca-file.ts';

/** The shortest that the API server gives. */
const TOKEN_LIFETIME_MS = 600_000;
const TIMEOUT_MS = 30_000;

export interface TokensTask {
  readonly urls: readonly URL[];
  readonly caFile?: string;
  readonly serverName?: string;
  readonly user?: string;
  readonly namespace?: string;
  readonly audience: string;
  /** The token to ask with: from a file, or for a service account from the API server. */
  readonly source:
    { readonly tokenFile: string } | ({ readonly serviceAccount: ObjectId } & KubernetesOptions);
  readonly json: boolean;
}

interface Answer {
  readonly url: URL;
  readonly reply: TokensReply;
}

/** @returns the exit code, of OPERATOR_EXIT: with several URLs, that of the first which failed */
export async function runTokens(
  task: TokensTask,
  terminal: Pick<Terminal, 'out' | 'error'>,
): Promise<number> {
  const say = (message: string) => terminal.error(`kerbridge tokens: ${message}\n`);
  const { user, namespace, serverName } = task;
  const answers: Answer[] = [];
  try {
    const ca = task.caFile === undefined ? undefined : await readCaFile(task.caFile);
    const serviceAccountToken = await getToken(task);
    for (const url of task.urls) {
      const reply = await requestTokens({
        url,
        serviceAccountToken,
        timeoutMs: TIMEOUT_MS,
        ...(user === undefined ? {} : { user }),
        ...(namespace === undefined ? {} : { namespace }),
        ...(serverName === undefined ? {} : { serverName }),
        ...(ca === undefined ? {} : { ca }),
      });
      answers.push({ url, reply });
    }
  } catch (error) {
    if (error instanceof ServiceAccountTokenFileError || error instanceof CaFileError) {
      say(error.message);
      return OPERATOR_EXIT.usage;
    }
    const explained = explainKubernetesFailure(error);
    if (explained === undefined) throw error;
    say(explained.message);
    return explained.exitCode;
  }
  const lists = distinctReplicas(answers, say);
  terminal.out(task.json ? toJson(lists) : lists.map(toText).join('\n'));
  for (const { url, reply } of answers) {
    if (reply.outcome !== 'listed') say(`${url.origin}: ${reply.reason}`);
  }
  const failed = answers.find(({ reply }) => reply.outcome !== 'listed');
  return failed === undefined ? OPERATOR_EXIT.done : EXIT[failed.reply.outcome];
}

const EXIT: Readonly<Record<TokensReply['outcome'], number>> = {
  listed: OPERATOR_EXIT.done,
  refused: OPERATOR_EXIT.refused,
  'not-reached': OPERATOR_EXIT.notReached,
  'bad-reply': OPERATOR_EXIT.failed,
};

async function getToken({ source, audience }: TokensTask): Promise<Secret<string>> {
  if ('tokenFile' in source) return await readServiceAccountToken(source.tokenFile);
  const { serviceAccount, ...kubernetesSource } = source;
  return await withKubernetes(kubernetesSource, (kubernetes) =>
    kubernetes.requestServiceAccountToken(serviceAccount, { audience, lifetimeMs: TOKEN_LIFETIME_MS }),
  );
}

/** Two URLs may lead to the same process, as behind a Service. */
function distinctReplicas(
  answers: readonly Answer[],
  say: (message: string) => void,
): readonly ListedTokens[] {
  const lists = new Map<string, ListedTokens>();
  for (const { url, reply } of answers) {
    if (reply.outcome !== 'listed') continue;
    const { replica } = reply.document;
    if (lists.has(replica)) say(`${url.origin}: replica ${printable(replica)} has answered already`);
    else lists.set(replica, reply.document);
  }
  return [...lists.values()];
}

function toJson(lists: readonly ListedTokens[]): string {
  return `${JSON.stringify({ replicas: lists }, undefined, 2)}\n`;
}

function toText({ replica, tokens, truncated }: ListedTokens): string {
  const table =
    tokens.length === 0
      ? ''
      : formatTable(
          ['USER', 'NAMESPACE', 'CLUSTER', 'KIND', 'SEQUENCE', 'STATE', 'PODS', 'EXPIRES', 'MAX DATE'],
          tokens.map((token) => [
            token.stampedUser === token.owner ? token.owner : `${token.owner} for ${token.stampedUser}`,
            token.namespace ?? '(all)',
            token.cluster,
            token.kind,
            String(token.sequenceNumber),
            token.state,
            String(token.holders),
            token.expiresAt ?? 'not known yet',
            token.maxDate,
          ]),
        );
  const more = truncated ? 'There are more: ask for one --user or --namespace.\n' : '';
  return `replica ${printable(replica)}: ${tokens.length} token(s)\n${table}${more}`;
}
