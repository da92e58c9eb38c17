import { isDeepStrictEqual } from 'node:util';
import type { PodView } from '../../authentication/kubernetes-access.ts';
import type { ReflectorTarget, Replacement } from '../reflector/reflector.ts';

/** Texts that many pods share are kept once; past this many different ones the pool starts anew. */
const MAX_POOLED = 20_000;
/**
 * Of one annotation, in UTF-16 units: room for a signed stamp. Whoever may create pods may write 256 KB into it. What is cut
 * is no user (of 256 characters at most) and no signature, and is refused as such.
 */
export const MAX_ANNOTATION_LENGTH = 4096;

export interface PodStoreOptions {
  /** Only these annotations are kept. */
  readonly annotationKeys: readonly string[];
  /** A pod, by its UID, that the store held and that is no longer there or has ended. Once for each; must not throw. */
  readonly onGone: (uid: string) => void;
}

/**
 * Pods by namespace and name, kept small: of a pod of 5 KB as JSON some 460 bytes are left (`npm run bench`). A pod is
 * its UID: another one under the same name is another pod.
 */
export class PodStore implements ReflectorTarget<PodView> {
  readonly #annotationKeys: readonly string[];
  readonly #onGone: (uid: string) => void;
  readonly #namespaces = new Map<string, Map<string, PodView>>();
  readonly #pool = new Map<string, string>();
  #size = 0;

  constructor({ annotationKeys, onGone }: PodStoreOptions) {
    this.#annotationKeys = annotationKeys;
    this.#onGone = onGone;
  }

  get size(): number {
    return this.#size;
  }

  get(namespace: string, name: string): PodView | undefined {
    return this.#namespaces.get(namespace)?.get(name);
  }

  put(pod: PodView): void {
    const namespace = this.#pooled(pod.namespace);
    let pods = this.#namespaces.get(namespace);
    if (pods === undefined) {
      pods = new Map();
      this.#namespaces.set(namespace, pods);
    }
    const before = pods.get(pod.name);
    const compact = this.#compact(pod, namespace);
    // The same object while nothing changes, as in a list of all: what is remembered of it need not be found out again.
    if (!isDeepStrictEqual(before, compact)) pods.set(pod.name, compact);
    if (before === undefined) this.#size += 1;
    else if (before.uid !== pod.uid) this.#reportGone(before);
    const alreadyEnded = before?.uid === pod.uid && hasEnded(before);
    if (hasEnded(pod) && !alreadyEnded) this.#onGone(pod.uid);
  }

  /** Nothing happens unless it is this pod, by its UID, that is held under its name. */
  delete({ namespace, name, uid }: Pick<PodView, 'namespace' | 'name' | 'uid'>): void {
    const pods = this.#namespaces.get(namespace);
    const held = pods?.get(name);
    if (pods === undefined || held?.uid !== uid) return;
    pods.delete(name);
    if (pods.size === 0) this.#namespaces.delete(namespace);
    this.#size -= 1;
    this.#reportGone(held);
  }

  *values(): Generator<PodView> {
    for (const pods of this.#namespaces.values()) yield* pods.values();
  }

  /** Never holds two copies of everything. */
  beginReplacement(): Replacement<PodView> {
    const put = new Set<string>();
    return {
      put: (pod) => {
        put.add(pod.uid);
        this.put(pod);
      },
      complete: () => {
        for (const pod of this.values()) if (!put.has(pod.uid)) this.delete(pod);
      },
    };
  }

  #reportGone(pod: PodView): void {
    if (!hasEnded(pod)) this.#onGone(pod.uid);
  }

  /** Always the same fields in the same order, which lets the engine keep their names and places once for all pods. */
  #compact(pod: PodView, namespace: string): PodView {
    return {
      namespace,
      name: pod.name,
      uid: pod.uid,
      serviceAccount: this.#pooled(pod.serviceAccount),
      phase: this.#pooled(pod.phase),
      createdAt: pod.createdAt,
      deletionTimestamp: pod.deletionTimestamp,
      podIps: pod.podIps.length === 0 ? NO_IPS : pod.podIps,
      annotations: this.#chosenAnnotations(pod.annotations),
    };
  }

  #chosenAnnotations(annotations: PodView['annotations']): PodView['annotations'] {
    const chosen: [string, string][] = [];
    for (const key of this.#annotationKeys) {
      const value = Object.hasOwn(annotations, key) ? annotations[key] : undefined;
      if (value !== undefined) chosen.push([key, this.#pooled(cut(value))]);
    }
    return chosen.length === 0 ? NO_ANNOTATIONS : Object.fromEntries(chosen);
  }

  #pooled(text: string): string {
    const known = this.#pool.get(text);
    if (known !== undefined) return known;
    // Signatures and the like are each pod's own: in the pool they would push out what is shared.
    if (text.length > MAX_POOLED_LENGTH) return text;
    if (this.#pool.size >= MAX_POOLED) this.#pool.clear();
    this.#pool.set(text, text);
    return text;
  }
}

const MAX_POOLED_LENGTH = 128;
const NO_IPS: readonly string[] = Object.freeze([]);
const NO_ANNOTATIONS: Readonly<Record<string, string>> = Object.freeze({});

/** A copy: a slice would keep the whole text in memory. */
function cut(text: string): string {
  if (text.length <= MAX_ANNOTATION_LENGTH) return text;
  return Buffer.from(text.slice(0, MAX_ANNOTATION_LENGTH), 'utf16le').toString('utf16le');
}

function hasEnded({ phase }: PodView): boolean {
  return phase === 'Succeeded' || phase === 'Failed';
}
