import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { TokenSource } from '../../../src/delegation-tokens/credentials.ts';
import type { DelegationToken, TokenService } from '../../../src/delegation-tokens/token-service.ts';
import { toDelegationToken } from '../../../src/hadoop/codec/delegation-token.ts';
import { encodeTokenIdentifier } from '../../../src/hadoop/codec/token-identifier.ts';
import { decodeTokenUrlString, encodeTokenUrlString } from '../../../src/hadoop/codec/token.ts';
import type { Clock } from '../../../src/time/clock.ts';

export const KIND = 'HDFS_DELEGATION_TOKEN';
/** What a NameNode gives unless it is told otherwise. */
export const INTERVAL_MS = 24 * 3_600_000;
const LIFE_MS = 7 * INTERVAL_MS;
/** Of two NameNodes: the nameservice, and either of them. */
const SERVICES = ['ha-hdfs:prod', '10.0.0.1:8020', '10.0.0.2:8020'];

/** Hadoop without Hadoop: tokens as long as real ones, read from text as the answers of a NameNode are. */
export class MadeTokens implements TokenService {
  readonly kind = KIND;
  /** How long an answer takes. */
  answerMs = 0;
  readonly #clock: Clock;
  #issued = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async issue({ owner, renewer }: { owner: string; renewer: string }): Promise<DelegationToken> {
    await this.#answer();
    return this.make(owner, renewer);
  }

  make(owner: string, renewer: string): DelegationToken {
    this.#issued += 1;
    const issueDate = BigInt(this.#clock.now());
    const identifier = encodeTokenIdentifier(
      {
        owner,
        renewer,
        // As NameNodes before 3.3 write it, so that an identifier has some 70 bytes.
        realUser: 'kerbridge/kb@EXAMPLE.COM',
        issueDate,
        maxDate: issueDate + BigInt(LIFE_MS),
        sequenceNumber: this.#issued,
        masterKeyId: 23,
      },
      'writable',
    );
    const urlString = encodeTokenUrlString({
      identifier,
      password: randomBytes(20),
      kind: KIND,
      service: SERVICES[1] ?? '',
    });
    return toDelegationToken(decodeTokenUrlString(urlString));
  }

  async renew({ maxDate }: DelegationToken): Promise<{ readonly expiresAt: bigint }> {
    await this.#answer();
    const expiresAt = BigInt(this.#clock.now() + INTERVAL_MS);
    return { expiresAt: expiresAt < maxDate ? expiresAt : maxDate };
  }

  async cancel(): Promise<void> {
    await this.#answer();
  }

  async #answer(): Promise<void> {
    if (this.answerMs > 0) await delay(this.answerMs);
    else await Promise.resolve();
  }
}

export function sourceOf(tokenService: TokenService): TokenSource {
  return {
    cluster: 'prod',
    name: 'prod',
    kind: KIND,
    renewer: 'kerbridge',
    services: SERVICES,
    tokenService,
  };
}
