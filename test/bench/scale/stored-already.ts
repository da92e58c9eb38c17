import type { TokenSource } from '../../../src/delegation-tokens/credentials.ts';
import type { OnRecordChange, TokenStore } from '../../../src/delegation-tokens/token-store.ts';
import { Secret } from '../../../src/observability/secret.ts';
import { encodeRecord, nameOfRecord } from '../../../src/stores/record-format.ts';
import { RecordMirror } from '../../../src/stores/record-mirror.ts';
import type { Clock } from '../../../src/time/clock.ts';
import { requestOf } from './many-tokens.ts';
import type { MadeTokens } from './made-tokens.ts';

/** A store with so many tokens at the start, read as the Secrets of an API server are, which are not held here. */
export class StoredAlready implements TokenStore {
  readonly #options: { readonly count: number; readonly clock: Clock; readonly source: TokenSource };

  constructor(options: { readonly count: number; readonly clock: Clock; readonly source: TokenSource }) {
    this.#options = options;
  }

  async start(onChange: OnRecordChange): Promise<void> {
    const { count } = this.#options;
    const mirror = new RecordMirror({
      onChange,
      onEvent: (event) => {
        throw new Error(event.type);
      },
    });
    for (let n = 0; n < count; n += 1) mirror.put(this.#secretOf(n));
    // As long as the store is there.
    this.read = () => Promise.reject(new Error(`nobody reads one of the ${mirror.size} records`));
    await Promise.resolve();
  }

  stop = (): Promise<void> => Promise.resolve();
  read: TokenStore['read'] = () => Promise.reject(new Error('not started'));
  write: TokenStore['write'] = () => Promise.reject(new Error('nobody writes'));
  knownUntil = (): number => this.#options.clock.now();

  #secretOf(n: number): Parameters<RecordMirror['put']>[0] {
    const { clock, source } = this.#options;
    const { namespace, owner, stampedUser } = requestOf(n);
    const { cluster, name, kind, renewer } = source;
    const token = {
      cluster,
      source: name,
      kind,
      renewer,
      scope: { type: 'namespace', namespace } as const,
      stampedUser,
      token: (source.tokenService as MadeTokens).make(owner, renewer),
      issuedAt: clock.now(),
    };
    const record = { namespace, owner, tokens: [token], claims: [] };
    return {
      name: nameOfRecord(record),
      uid: `7d1f9f9a-1a57-4c5c-9d4f-${n.toString(16).padStart(12, '0')}`,
      resourceVersion: String(1_000_000 + n),
      text: new Secret(encodeRecord(record)),
    };
  }
}
