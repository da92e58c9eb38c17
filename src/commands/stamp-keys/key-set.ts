import { parsePrivateKeys } from '../../identity/stamps/read-stamp-keys.ts';
import { formatPrivateKeys, type StampPrivateKeys } from '../../identity/stamps/stamp-keys.ts';
import { KubernetesApiError, type KubernetesApiFailure } from '../../kubernetes/kubernetes-api-error.ts';
import type { FoundSecret, SecretRecords } from '../../kubernetes/secret-records.ts';
import { STAMP_KEYS_TYPE } from '../decorate/stamp-key-secret.ts';
import type { ObjectId } from '../operator/operator-command.ts';

/**
 * Which keys were announced and do not sign yet. By their order alone one of them can't be told from one that has signed: to
 * let that sign again by mistake would undo a rotation. It decides nothing else.
 */
export const ANNOUNCED_ANNOTATION = 'kerbridge.dev/announced-keys';

/** Each time somebody else has written in between; each such time somebody's write got through. */
const MAX_ATTEMPTS = 5;
const SHOWN_PROBLEMS = 5;

/** The first key signs, all verify. */
export interface KeySet {
  readonly keys: StampPrivateKeys['keys'];
  /** By kid: none that signs, none that is not among the keys. */
  readonly announced: readonly string[];
}

/** The Secret is not what it should be, or not there. The message quotes nothing of it. */
export class KeySetError extends Error {
  override readonly name = 'KeySetError';
}

export interface KeySetSecret {
  read(): Promise<KeySet>;
  /**
   * Reads, changes and writes, all over again if somebody else has written in between. `change` may be called several times
   * and may throw; with undefined nothing is written. Returns what `change` made of it last. Where nobody knows if the API
   * server has written, the error says so.
   */
  update<C extends KeySet>(change: (keySet: KeySet) => Promise<C | undefined>): Promise<C | undefined>;
}

export function createKeySetSecret(
  secrets: Pick<SecretRecords, 'get' | 'replace'>,
  { namespace, name }: ObjectId,
): KeySetSecret {
  const where = `Secret ${namespace}/${name}`;

  const naming = (verb: string) => (error: unknown) => {
    if (!(error instanceof KubernetesApiError) || error.code !== 'forbidden') throw error;
    const fix = `grant \`${verb}\` on \`secrets\` (name \`${name}\`) in namespace \`${namespace}\` with a Role; else an admission rule forbids it`;
    throw new KubernetesApiError(error.code, error.message, { fix });
  };

  async function find(): Promise<FoundSecret> {
    const found = await secrets.get(name).catch(naming('get'));
    if (found !== undefined) return found;
    throw new KeySetError(
      `there is no ${where}: \`kerbridge decorate\` makes it; name it with --namespace and --secret (signing.secret of decorate)`,
    );
  }

  function parse(found: FoundSecret): KeySet {
    if (found.text === undefined) {
      throw new KeySetError(
        `${where} has no key set of type ${STAMP_KEYS_TYPE}, and was left as it is: name another with --secret, or restore it`,
      );
    }
    const read = parsePrivateKeys(found.text.reveal());
    if (!read.ok) {
      const shown = read.problems
        .slice(0, SHOWN_PROBLEMS)
        .map(({ path, message }) => `${path} ${message}`.trim());
      const more = read.problems.length > shown.length ? [`${read.problems.length - shown.length} more`] : [];
      throw new KeySetError(
        `${where} holds no valid key set, and was left as it is: restore it from your backup. ${[...shown, ...more].join('; ')}`,
      );
    }
    const [first, ...rest] = read.keys.keys;
    const marked = new Set(found.annotations[ANNOUNCED_ANNOTATION]?.split(' '));
    return {
      keys: [first, ...rest],
      announced: rest.map(({ kid }) => kid).filter((kid) => marked.has(kid)),
    };
  }

  async function write(found: FoundSecret, { keys, announced }: KeySet): Promise<boolean> {
    const { [ANNOUNCED_ANNOTATION]: _before, ...annotations } = found.annotations;
    const mark = announced.length === 0 ? {} : { [ANNOUNCED_ANNOTATION]: announced.join(' ') };
    const content = {
      text: formatPrivateKeys({ keys }),
      annotations: { ...annotations, ...mark },
      labels: found.labels,
    };
    try {
      return (await secrets.replace(name, found, content).catch(naming('update'))) !== undefined;
    } catch (error) {
      throw withDoubt(error);
    }
  }

  return {
    read: async () => parse(await find()),
    update: async (change) => {
      for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
        const found = await find();
        const next = await change(parse(found));
        if (next === undefined || (await write(found, next))) return next;
      }
      throw new KubernetesApiError(
        'bad-reply',
        `${where} was changed by others ${MAX_ATTEMPTS} times in a row, and not by us`,
        { fix: 'find out who else writes it, and try again' },
      );
    },
  };
}

/** Where nobody knows if the API server has done what it was asked. */
function withDoubt(error: unknown): unknown {
  if (!(error instanceof KubernetesApiError) || !UNCLEAR.includes(error.code)) return error;
  return new KubernetesApiError(error.code, `${error.message}; it may have been written all the same`, {
    fix: 'look with `kerbridge stamp-keys list` before you say it again',
  });
}

const UNCLEAR: readonly KubernetesApiFailure[] = ['unreachable', 'timeout', 'server-error'];
