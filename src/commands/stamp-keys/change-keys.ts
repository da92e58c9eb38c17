import {
  announceKey,
  createPublicKeys,
  MAX_STAMP_KEYS,
  rotateKeys,
  type StampSigningKey,
} from '../../identity/stamps/stamp-keys.ts';
import type { KubernetesApi } from '../../kubernetes/kubernetes-api.ts';
import { KubernetesApiError } from '../../kubernetes/kubernetes-api-error.ts';
import type { ObjectId } from '../operator/operator-command.ts';
import { explainKubernetesFailure } from '../operator/explain-failure.ts';
import { type KeySet, KeySetError } from './key-set.ts';
import { type PublishedKeys, readPublishedKeys, settlesAt } from './published-keys.ts';
import { countStampedPods, type PodsOfKey } from './stamped-pods.ts';

/** It can be done later, or otherwise: the message says how. Nothing was written. */
export class StampKeysRefusal extends Error {
  override readonly name = 'StampKeysRefusal';
}

export interface Look {
  readonly kubernetes: Pick<KubernetesApi, 'getConfigMap' | 'serverTime' | 'listPods'>;
  /** Of the Secret; the ConfigMap has the same. */
  readonly id: ObjectId;
}

/** The set with `key`, which does not sign yet. */
export function announce(
  { keys, announced }: KeySet,
  { key, another }: { readonly key: StampSigningKey; readonly another: boolean },
): KeySet {
  if (announced.length > 0 && !another) {
    throw new StampKeysRefusal(
      `${announced.join(' and ')} was announced and does not sign yet: promote it, or add one more with --another`,
    );
  }
  if (keys.length >= MAX_STAMP_KEYS) {
    throw new StampKeysRefusal(`there are ${keys.length} keys, and no more are taken: retire old ones first`);
  }
  return { keys: announceKey({ keys }, key).keys, announced: [...announced, key.kid] };
}

/** undefined: it signs already. */
export async function promote(
  keySet: KeySet,
  { kid, now }: { readonly kid: string | undefined; readonly now: boolean },
  look: Look,
): Promise<KeySet | undefined> {
  const { keys, announced } = keySet;
  const key = keyOf(keySet, kid ?? onlyAnnounced(announced), look);
  if (key === keys[0]) return undefined;
  const published = await readPublishedKeys(look.kubernetes, look.id);
  const configMap = nameOf(look);
  if (!published.kids.includes(key.kid)) {
    throw new StampKeysRefusal(
      `${configMap} does not have ${key.kid}, so that serve would refuse what it signs: \`kerbridge decorate\` publishes it within 30 s; ` +
        'if it stays so, is decorate running, and what does its log say of "Signing keys"?',
    );
  }
  if (!now) {
    assertSettled(published, configMap, {
      because: `replicas of serve may not have ${key.kid} yet`,
      unless: 'if each of them has it (`kerbridge check` there says)',
    });
  }
  return {
    keys: rotateKeys({ keys }, key, MAX_STAMP_KEYS - 1).keys,
    announced: announced.filter((each) => each !== key.kid),
  };
}

export interface Retirement extends KeySet {
  /** Who gets nothing from now on. */
  readonly pods: PodsOfKey | { readonly notKnown: string };
}

export async function retire(
  keySet: KeySet,
  { kid, now, stolen }: { readonly kid: string; readonly now: boolean; readonly stolen: boolean },
  look: Look,
): Promise<Retirement> {
  const key = keyOf(keySet, kid, look);
  const [first, ...rest] = keySet.keys;
  if (key === first) {
    throw new StampKeysRefusal(
      `${kid} signs: let another one sign first (announce, promote; promote --now does not wait), then retire it`,
    );
  }
  if (!stolen) await assertNobodySigns(keySet, { kid, now }, look);
  const pods = await countPods(keySet, { kid, stolen }, look);
  if (!stolen && 'count' in pods && pods.count > 0) {
    throw new StampKeysRefusal(
      `${pods.count} live pod(s) carry a stamp of ${kid} and would get nothing more: ${namesOf(pods)}. Have them made anew, or wait for their end; --stolen retires it all the same`,
    );
  }
  return {
    keys: [first, ...rest.filter((each) => each !== key)],
    announced: keySet.announced.filter((each) => each !== kid),
    pods,
  };
}

/** For a while after a promotion there are replicas of `decorate` that still sign with the key before. */
async function assertNobodySigns(
  { keys: [first] }: KeySet,
  { kid, now }: { readonly kid: string; readonly now: boolean },
  look: Look,
): Promise<void> {
  const published = await readPublishedKeys(look.kubernetes, look.id);
  const configMap = nameOf(look);
  if (published.kids[0] !== first.kid) {
    throw new StampKeysRefusal(
      `${configMap} does not say yet that ${first.kid} signs, so that ${kid} may: \`kerbridge decorate\` takes it up within 30 s; ` +
        'if it stays so, is decorate running, and what does its log say of "Signing keys"?',
    );
  }
  if (!now) {
    assertSettled(published, configMap, {
      because: `replicas of decorate may still sign with ${kid}`,
      unless: 'if none does',
    });
  }
}

async function countPods(
  { keys: [first, ...rest] }: KeySet,
  { kid, stolen }: { readonly kid: string; readonly stolen: boolean },
  { kubernetes }: Look,
): Promise<Retirement['pods']> {
  try {
    const pods = await countStampedPods(kubernetes, createPublicKeys([first, ...rest]));
    return pods.of(kid);
  } catch (error) {
    const explained = explainKubernetesFailure(error);
    if (!(error instanceof KubernetesApiError) || explained === undefined) throw error;
    if (stolen) return { notKnown: explained.message };
    throw new KubernetesApiError(
      error.code,
      `could not check which pods carry a stamp of ${kid}, so nothing was changed: ${error.message}`,
      { fix: [error.fix ?? 'try again', '--stolen does not ask'].join('; ') },
    );
  }
}

function onlyAnnounced(announced: readonly string[]): string {
  const [only, ...more] = announced;
  if (only === undefined) {
    throw new StampKeysRefusal(
      'no key was announced: announce one, or name with --key an older one that is to sign again',
    );
  }
  if (more.length > 0) {
    throw new StampKeysRefusal(`several were announced, name one with --key: ${announced.join(', ')}`);
  }
  return only;
}

function keyOf({ keys }: KeySet, kid: string, { id: { namespace, name } }: Look): StampSigningKey {
  const key = keys.find((each) => each.kid === kid);
  if (key !== undefined) return key;
  throw new KeySetError(
    `Secret ${namespace}/${name} has no key ${kid}; \`kerbridge stamp-keys list\` shows those that it has`,
  );
}

function assertSettled(
  published: PublishedKeys,
  configMap: string,
  { because, unless }: { readonly because: string; readonly unless: string },
): void {
  const at = settlesAt(published);
  if (at === undefined) return;
  throw new StampKeysRefusal(
    at === 'unknown'
      ? `the API server does not say when ${configMap} was written, and ${because}: wait five minutes, then add --now`
      : `${configMap} was written less than five minutes ago, and ${because}: try again at ${new Date(at).toISOString()}, or with --now ${unless}`,
  );
}

const nameOf = ({ id: { namespace, name } }: Look): string => `ConfigMap ${namespace}/${name}`;

export function namesOf({ count, named }: PodsOfKey): string {
  const more = count - named.length;
  return named.join(', ') + (more > 0 ? ` and ${more} more` : '');
}
