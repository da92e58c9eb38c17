import { randomUUID } from 'node:crypto';
import { KubernetesApiError } from '../../src/kubernetes/kubernetes-api-error.ts';
import type { ReflectorTarget } from '../../src/kubernetes/reflector/reflector.ts';
import type {
  FoundSecret,
  SecretContent,
  SecretRecord,
  SecretRecords,
  SecretVersion,
} from '../../src/kubernetes/secret-records.ts';
import { Secret } from '../../src/observability/secret.ts';
import type { Clock } from '../../src/time/clock.ts';

type Operation = 'get' | 'create' | 'replace' | 'remove';

/**
 * The Secrets of one type and namespace in memory, with versions as the API server has them. What is stored is in common
 * to all `SecretRecords` that `open` gives. The contract of token stores is run over it and over the real API server.
 */
export class FakeSecretRecords {
  readonly #clock: Clock;
  readonly #secrets = new Map<string, SecretRecord>();
  readonly #marks = new Map<string, Pick<FoundSecret, 'labels' | 'annotations'>>();
  readonly #targets = new Set<ReflectorTarget<SecretRecord>>();
  readonly #failures: { readonly operation: Operation; readonly error: unknown; readonly isLate: boolean }[] =
    [];
  #version = 100;

  /** Annotations of what was written last. */
  lastAnnotations: SecretContent['annotations'] | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  marksOf(name: string): Pick<FoundSecret, 'labels' | 'annotations'> {
    return this.#marks.get(name) ?? { labels: {}, annotations: {} };
  }

  mark(name: string, marks: Partial<Pick<FoundSecret, 'labels' | 'annotations'>>): void {
    this.#marks.set(name, { ...this.marksOf(name), ...marks });
  }

  /** As somebody who writes Secrets by hand. */
  put(name: string, text: string | undefined, uid: string = randomUUID()): SecretRecord {
    this.#version += 1;
    const secret: SecretRecord = {
      name,
      uid: this.#secrets.get(name)?.uid ?? uid,
      resourceVersion: String(this.#version),
      text: text === undefined ? undefined : new Secret(text),
    };
    this.#secrets.set(name, secret);
    for (const target of this.#targets) target.put(secret);
    return secret;
  }

  delete(name: string): void {
    const secret = this.#secrets.get(name);
    this.#secrets.delete(name);
    this.#marks.delete(name);
    if (secret !== undefined) for (const target of this.#targets) target.delete(secret);
  }

  textOf(name: string): string | undefined {
    return this.#secrets.get(name)?.text?.reveal();
  }

  get names(): string[] {
    return [...this.#secrets.keys()];
  }

  relist(): void {
    for (const target of this.#targets) this.#list(target);
  }

  /** The watch is lost: nobody is told anything until what is returned is called, which lists. */
  blindfold(): () => void {
    const targets = [...this.#targets];
    this.#targets.clear();
    return () => {
      for (const target of targets) this.#targets.add(target);
      this.relist();
    };
  }

  /** The next such call rejects; `isLate`: after it was done, as when the reply is lost. */
  failNext(operation: Operation, error: unknown, { isLate = false } = {}): void {
    this.#failures.push({ operation, error, isLate });
  }

  open(): SecretRecords {
    return {
      get: (name, { signal } = {}) =>
        this.#answer('get', signal, () => {
          const secret = this.#secrets.get(name);
          return secret === undefined ? undefined : { ...secret, ...this.marksOf(name) };
        }),
      create: (name, content, { signal } = {}) =>
        this.#answer('create', signal, () =>
          this.#secrets.has(name) ? undefined : this.#write(name, content),
        ),
      replace: (name, expected, content, { signal } = {}) =>
        this.#answer('replace', signal, () =>
          this.#isOf(name, expected) ? this.#write(name, content) : undefined,
        ),
      remove: (name, expected, { signal } = {}) =>
        this.#answer('remove', signal, () => {
          if (!this.#isOf(name, expected)) return false;
          this.delete(name);
          return true;
        }),
      createReflector: ({ target }) => {
        let isFresh = false;
        return {
          start: () => {
            isFresh = true;
            this.#targets.add(target);
            this.#list(target);
          },
          stop: async () => {
            isFresh = false;
            this.#targets.delete(target);
            await Promise.resolve();
          },
          isFresh: () => isFresh,
          state: () => ({
            synced: isFresh,
            fresh: isFresh,
            resourceVersion: String(this.#version),
            lastHeardAt: this.#clock.now(),
            completeUntil: isFresh ? this.#clock.now() : undefined,
          }),
          waitUntilSynced: async (signal) => {
            await Promise.resolve();
            signal?.throwIfAborted();
          },
        };
      },
    };
  }

  #list(target: ReflectorTarget<SecretRecord>): void {
    const replacement = target.beginReplacement();
    for (const secret of this.#secrets.values()) replacement.put(secret);
    replacement.complete();
  }

  #isOf(name: string, { uid, resourceVersion }: SecretVersion): boolean {
    const secret = this.#secrets.get(name);
    return secret?.uid === uid && secret.resourceVersion === resourceVersion;
  }

  #write(name: string, { text, annotations, labels = {} }: SecretContent): SecretRecord {
    this.lastAnnotations = annotations;
    this.#marks.set(name, { labels, annotations });
    return this.put(name, text.reveal());
  }

  async #answer<T>(operation: Operation, signal: AbortSignal | undefined, run: () => T): Promise<T> {
    await Promise.resolve();
    signal?.throwIfAborted();
    const index = this.#failures.findIndex((failure) => failure.operation === operation);
    const [failure] = index === -1 ? [] : this.#failures.splice(index, 1);
    if (failure?.isLate === false) throw failure.error;
    const result = run();
    if (failure !== undefined) throw failure.error;
    return result;
  }
}

export const lostReply = (): KubernetesApiError =>
  new KubernetesApiError('unreachable', 'no connection to the Kubernetes API: ECONNRESET');
