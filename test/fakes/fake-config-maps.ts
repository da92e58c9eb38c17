import type { KubernetesApiError } from '../../src/kubernetes/kubernetes-api-error.ts';
import type { OperatorCalls } from '../../src/kubernetes/operator-calls.ts';
import type { Clock } from '../../src/time/clock.ts';
import { FakeClock } from './fake-clock.ts';

type ConfigMapCalls = Pick<OperatorCalls, 'getConfigMap' | 'createConfigMap' | 'patchConfigMap'>;

/**
 * ConfigMaps in memory, compared and swapped by resourceVersion as kube-apiserver does it.
 * test/integration/operators/config-maps.test.ts holds it against the real one.
 */
export class FakeConfigMaps implements ConfigMapCalls {
  readonly #configMaps = new Map<string, Record<string, string>>();
  readonly #versions = new Map<string, number>();
  readonly #writtenAt = new Map<string, number>();
  readonly #clock: Pick<Clock, 'now'>;
  readonly #failures = new Map<keyof ConfigMapCalls, KubernetesApiError>();
  #version = 0;

  /** `clock`: the API server's. */
  constructor(clock: Pick<Clock, 'now'> = new FakeClock()) {
    this.#clock = clock;
  }

  /** Calls so far, oldest first: `get kerbridge/revocations`. */
  readonly calls: string[] = [];
  /** Runs before each write, as what somebody else does in between. */
  beforeWrite: () => void = () => undefined;

  /** As another's write, unconditionally; undefined deletes. */
  put(id: string, data: Record<string, string> | undefined): void {
    this.#version += 1;
    if (data === undefined) {
      this.#configMaps.delete(id);
      return;
    }
    this.#configMaps.set(id, data);
    this.#versions.set(id, this.#version);
    // Whole seconds, as it has them.
    this.#writtenAt.set(id, Math.floor(this.#clock.now() / 1000) * 1000);
  }

  dataOf(id: string): Readonly<Record<string, string>> | undefined {
    return this.#configMaps.get(id);
  }

  /** From now on that call rejects so, having done nothing; undefined: no more. */
  failWith(call: keyof ConfigMapCalls, failure: KubernetesApiError | undefined): void {
    if (failure === undefined) this.#failures.delete(call);
    else this.#failures.set(call, failure);
  }

  readonly getConfigMap: ConfigMapCalls['getConfigMap'] = async ({ namespace, name }) => {
    const id = `${namespace}/${name}`;
    await this.#begin('getConfigMap', `get ${id}`);
    const data = this.#configMaps.get(id);
    return data === undefined
      ? undefined
      : {
          resourceVersion: String(this.#versions.get(id)),
          data: { ...data },
          dataWrittenAt: this.#writtenAt.get(id),
        };
  };

  readonly createConfigMap: ConfigMapCalls['createConfigMap'] = async ({ namespace, name }, data) => {
    const id = `${namespace}/${name}`;
    await this.#begin('createConfigMap', `create ${id}`);
    this.beforeWrite();
    if (this.#configMaps.has(id)) return false;
    this.put(id, { ...data });
    return true;
  };

  readonly patchConfigMap: ConfigMapCalls['patchConfigMap'] = async ({ namespace, name }, change) => {
    const id = `${namespace}/${name}`;
    await this.#begin('patchConfigMap', `patch ${id}`);
    this.beforeWrite();
    const data = this.#configMaps.get(id);
    if (data === undefined || String(this.#versions.get(id)) !== change.resourceVersion) return false;
    // What changes nothing is no write.
    if (Object.entries(change.data).some(([key, value]) => data[key] !== value)) {
      this.put(id, { ...data, ...change.data });
    }
    return true;
  };

  async #begin(call: keyof ConfigMapCalls, line: string): Promise<void> {
    await Promise.resolve();
    this.calls.push(line);
    const failure = this.#failures.get(call);
    if (failure !== undefined) throw failure;
  }
}
