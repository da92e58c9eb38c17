import type { ObjectPage, ObjectSource, WatchQuery } from '../../src/kubernetes/reflector/object-source.ts';
import { KubernetesApiError } from '../../src/kubernetes/kubernetes-api-error.ts';

export interface FakePod {
  readonly namespace?: string;
  readonly name: string;
  readonly uid: string;
  readonly phase?: string;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly podIp?: string;
}

/** A watch that somebody has opened: what the test sends in it, byte by byte if it likes. */
export class FakeWatch implements AsyncIterable<Buffer> {
  readonly query: WatchQuery;
  /** Left or aborted by whoever opened it. */
  closed = false;
  readonly #chunks: Buffer[] = [];
  #over: { readonly error: unknown } | 'in good order' | undefined;
  #wake = Promise.withResolvers<void>();

  constructor(query: WatchQuery, signal: AbortSignal) {
    this.query = query;
    signal.addEventListener(
      'abort',
      () => {
        this.closed = true;
        this.fail(signal.reason);
      },
      { once: true },
    );
  }

  send(bytes: string | Buffer): void {
    this.#chunks.push(Buffer.from(bytes));
    this.#wake.resolve();
  }

  sendEvent(type: string, object: object): void {
    this.send(`${JSON.stringify({ type, object })}\n`);
  }

  end(): void {
    this.#over ??= 'in good order';
    this.#wake.resolve();
  }

  fail(error: unknown): void {
    this.#over ??= { error };
    this.#wake.resolve();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer> {
    for (;;) {
      this.#wake = Promise.withResolvers<void>();
      for (let chunk = this.#chunks.shift(); chunk !== undefined; chunk = this.#chunks.shift()) yield chunk;
      if (this.#over === 'in good order') return;
      if (this.#over !== undefined) throw this.#over.error;
      await this.#wake.promise;
    }
  }
}

/**
 * An API server's LIST and WATCH of pods, in memory: pages are of one version, a watch begins with what happened since the
 * version it asks for, and versions that were compacted are gone (410). The contract that it shares with the real one is
 * in test/integration/kubernetes/pod-source-contract.test.ts.
 */
export class FakePodSource implements ObjectSource {
  pageLimit = 500;
  /** What `readVersion` gives in the place of the version of now, or rejects with. */
  namedVersion: string | Error | undefined;
  versionReads = 0;
  /** Calls so far: `list`, `list next page`, `watch VERSION`. */
  readonly calls: string[] = [];
  readonly watches: FakeWatch[] = [];
  readonly #pods = new Map<string, { readonly metadata: object }>();
  readonly #history: { readonly version: number; readonly type: string; readonly object: object }[] = [];
  readonly #failures: { readonly call: 'list' | 'list next page' | 'watch'; readonly error: unknown }[] = [];
  readonly #snapshots = new Map<string, { readonly rest: readonly object[]; readonly version: number }>();
  #version = 100;
  #compacted = 0;
  #down: unknown;

  /** The watch that is open now. */
  get watch(): FakeWatch {
    const last = this.watches.at(-1);
    if (last === undefined || last.closed) throw new Error('no watch is open');
    return last;
  }

  get version(): string {
    return String(this.#version);
  }

  /** Creates or changes a pod; another UID under the same name is a pod created anew. */
  put(pod: FakePod, change: object = {}): void {
    const key = `${pod.namespace ?? 'team-a'}/${pod.name}`;
    this.#record(this.#pods.has(key) ? 'MODIFIED' : 'ADDED', key, { ...podObject(pod), ...change });
  }

  /** The event has the pod as it was last. */
  delete(pod: FakePod): void {
    const key = `${pod.namespace ?? 'team-a'}/${pod.name}`;
    this.#record('DELETED', key, this.#pods.get(key) ?? podObject(pod));
  }

  bookmark(): void {
    const metadata = { resourceVersion: this.version };
    this.watch.sendEvent('BOOKMARK', { kind: 'Pod', metadata });
  }

  /** Something else was written: versions are of the whole API server. */
  moveOn(): void {
    this.#version += 1;
  }

  /** Forgets all that was, so that neither a watch nor a page of a list can go on from there. */
  compact(): void {
    this.#version += 1;
    this.#compacted = this.#version;
  }

  /** The next call of this kind rejects with it. */
  failOnce(call: 'list' | 'list next page' | 'watch', error: unknown): void {
    this.#failures.push({ call, error });
  }

  /** From now on every call rejects with this; undefined ends it. */
  failWith(error: unknown): void {
    this.#down = error;
  }

  async listPage(continueFrom: string | undefined, signal: AbortSignal): Promise<ObjectPage> {
    await this.#answer(continueFrom === undefined ? 'list' : 'list next page', signal);
    const snapshot =
      continueFrom === undefined
        ? { rest: [...this.#pods.values()], version: this.#version }
        : this.#snapshots.get(continueFrom);
    if (snapshot === undefined || snapshot.version < this.#compacted) throw gone();
    const { rest, version } = snapshot;
    const next =
      rest.length <= this.pageLimit
        ? undefined
        : `${version}-${this.#pods.size - rest.length + this.pageLimit}`;
    if (next !== undefined) this.#snapshots.set(next, { rest: rest.slice(this.pageLimit), version });
    return {
      items: structuredClone(rest.slice(0, this.pageLimit)),
      resourceVersion: String(version),
      continueFrom: next,
    };
  }

  /** Not among `calls`: it comes by the clock, beside them. */
  async readVersion(signal: AbortSignal): Promise<string> {
    this.versionReads += 1;
    await Promise.resolve();
    signal.throwIfAborted();
    if (this.#down !== undefined) throw this.#down;
    if (this.namedVersion instanceof Error) throw this.namedVersion;
    return this.namedVersion ?? this.version;
  }

  async openWatch(query: WatchQuery, signal: AbortSignal): Promise<FakeWatch> {
    await this.#answer('watch', signal, `watch ${query.resourceVersion}`);
    const watch = new FakeWatch(query, signal);
    this.watches.push(watch);
    const since = Number(query.resourceVersion);
    if (since < this.#compacted) watch.sendEvent('ERROR', { kind: 'Status', code: 410, reason: 'Expired' });
    else {
      for (const { version, type, object } of this.#history) {
        if (version > since) watch.sendEvent(type, object);
      }
    }
    return watch;
  }

  async #answer(call: 'list' | 'list next page' | 'watch', signal: AbortSignal, shown: string = call) {
    this.calls.push(shown);
    await Promise.resolve();
    signal.throwIfAborted();
    if (this.#down !== undefined) throw this.#down;
    const index = this.#failures.findIndex((failure) => failure.call === call);
    const [failure] = index === -1 ? [] : this.#failures.splice(index, 1);
    if (failure !== undefined) throw failure.error;
  }

  #record(type: string, key: string, object: { readonly metadata: object }): void {
    this.#version += 1;
    const versioned = { ...object, metadata: { ...object.metadata, resourceVersion: this.version } };
    if (type === 'DELETED') this.#pods.delete(key);
    else this.#pods.set(key, versioned);
    this.#history.push({ version: this.#version, type, object: versioned });
    const open = this.watches.at(-1);
    if (open !== undefined && !open.closed) open.sendEvent(type, versioned);
  }
}

export const gone = (): KubernetesApiError =>
  new KubernetesApiError('bad-reply', 'LIST pods: the Kubernetes API answered 410', { httpStatus: 410 });

export function podObject(pod: FakePod) {
  const { namespace = 'team-a', name, uid, phase = 'Running', annotations, podIp } = pod;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      namespace,
      name,
      uid,
      creationTimestamp: '2026-01-01T00:00:00Z',
      ...(annotations === undefined ? {} : { annotations }),
    },
    spec: { serviceAccountName: 'trainer', containers: [] },
    status: { phase, ...(podIp === undefined ? {} : { podIP: podIp, podIPs: [{ ip: podIp }] }) },
  };
}
