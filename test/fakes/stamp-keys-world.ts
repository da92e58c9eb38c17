import type { PodView } from '../../src/authentication/kubernetes-access.ts';
import { STAMP_KEYS_KEY } from '../../src/commands/decorate/stamp-key-secret.ts';
import {
  runStampKeys,
  type StampKeysDependencies,
  type StampKeysRequest,
} from '../../src/commands/stamp-keys/run-stamp-keys.ts';
import { ANNOUNCED_ANNOTATION } from '../../src/commands/stamp-keys/key-set.ts';
import { signPodStamp } from '../../src/identity/stamps/pod-stamp.ts';
import { parsePrivateKeys } from '../../src/identity/stamps/read-stamp-keys.ts';
import {
  createPublicKeys,
  formatPrivateKeys,
  formatPublicKeys,
  newSigningKey,
  type StampSigningKey,
} from '../../src/identity/stamps/stamp-keys.ts';
import { FakeClock } from './fake-clock.ts';
import { FakeConfigMaps } from './fake-config-maps.ts';
import { FakeSecretRecords } from './fake-secret-records.ts';
import { type Leak, LeakHunter } from './leak-hunter.ts';

export const SECRET = { namespace: 'kerbridge', name: 'kerbridge-stamp-keys' };
export const CONFIG_MAP = 'kerbridge/kerbridge-stamp-keys';
export const MINUTE_MS = 60_000;

export type Printed = { out: string; error: string };

/** The Secret, its ConfigMap and the pods of a cluster, for `kerbridge stamp-keys`. */
export class StampKeysWorld {
  /** Of the API server. */
  readonly clock = new FakeClock();
  readonly secrets = new FakeSecretRecords(this.clock);
  readonly configMaps = new FakeConfigMaps(this.clock);
  readonly #hunter = new LeakHunter();
  #everything = '';
  readonly printed: Printed = { out: '', error: '' };
  readonly selectors: (string | undefined)[] = [];
  pods: PodView[] = [];
  /** Why pods can't be listed. */
  listFailure: Error | undefined;
  /** Between what is read and what is written, each time. */
  beforeReplace: () => void = () => undefined;

  newKey(): StampSigningKey {
    const key = newSigningKey();
    const { d = '' } = key.privateKey.reveal().export({ format: 'jwk' });
    this.#hunter.add(`the private part of ${key.kid}`, d);
    this.#hunter.add(`the private part of ${key.kid}`, Buffer.from(d, 'base64url'));
    return key;
  }

  /** As it is in the Secret; the first signs. */
  put(keys: readonly StampSigningKey[], { announced = [] }: { announced?: readonly StampSigningKey[] } = {}) {
    const [first, ...rest] = keys;
    if (first === undefined) throw new RangeError('no key');
    this.secrets.put(SECRET.name, formatPrivateKeys({ keys: [first, ...rest] }).reveal());
    this.secrets.mark(SECRET.name, {
      annotations:
        announced.length === 0 ? {} : { [ANNOUNCED_ANNOTATION]: announced.map(({ kid }) => kid).join(' ') },
    });
  }

  /** As `decorate` does. */
  publish(...keys: readonly StampSigningKey[]): void {
    const [first, ...rest] = keys;
    if (first === undefined) throw new RangeError('no key');
    this.configMaps.put(CONFIG_MAP, {
      [STAMP_KEYS_KEY]: formatPublicKeys(createPublicKeys([first, ...rest])),
    });
  }

  addPod(name: string, key: StampSigningKey | string | undefined, change: Partial<PodView> = {}): void {
    const namespace = 'team-a';
    const stamp =
      typeof key === 'object'
        ? signPodStamp(
            { namespace, podName: name, user: 'alice', requester: 'alice', issuedAtSeconds: 1 },
            key,
          )
        : key;
    this.pods.push({
      namespace,
      name,
      uid: name,
      serviceAccount: 'default',
      phase: 'Running',
      createdAt: 0,
      deletionTimestamp: undefined,
      podIps: [],
      annotations: stamp === undefined ? {} : { 'kerbridge.dev/stamp': stamp },
      ...change,
    });
  }

  stampOf(name: string): string {
    return this.pods.find((pod) => pod.name === name)?.annotations['kerbridge.dev/stamp'] ?? '';
  }

  /** Of what was printed by all runs. */
  leaks(): readonly Leak[] {
    return this.#hunter.search(this.#everything, 'what was printed');
  }

  /** By kid, in their order. */
  kids(): readonly string[] {
    const read = parsePrivateKeys(this.secrets.textOf(SECRET.name) ?? '');
    return read.ok ? read.keys.keys.map(({ kid }) => kid) : [];
  }

  async run(
    request: StampKeysRequest,
    { json = false, ...overrides }: { json?: boolean } & Partial<StampKeysDependencies['kubernetes']> = {},
  ): Promise<number> {
    this.printed.out = '';
    this.printed.error = '';
    const { get, replace } = this.secrets.open();
    return await runStampKeys(
      { request, secret: SECRET, json },
      {
        kubernetes: {
          getConfigMap: this.configMaps.getConfigMap,
          serverTime: () => this.clock.now(),
          listPods: (_namespace, options) => this.#listPods(options?.labelSelector),
          ...overrides,
        },
        secrets: {
          get,
          replace: (...args) => {
            this.beforeReplace();
            return replace(...args);
          },
        },
        newKey: () => this.newKey(),
        terminal: {
          out: (text) => {
            this.printed.out += text;
            this.#everything += text;
          },
          error: (text) => {
            this.printed.error += text;
            this.#everything += text;
          },
        },
      },
    );
  }

  async *#listPods(labelSelector: string | undefined): AsyncGenerator<readonly PodView[]> {
    this.selectors.push(labelSelector);
    await Promise.resolve();
    for (const pod of this.pods) yield [pod];
    if (this.listFailure !== undefined) throw this.listFailure;
  }
}
