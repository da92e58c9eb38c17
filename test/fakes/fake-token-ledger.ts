import { randomBytes } from 'node:crypto';

import { encodeTokenUrlString } from '../../src/hadoop/codec/token.ts';
import type { Token } from '../../src/hadoop/codec/token.ts';
import { encodeTokenIdentifier } from '../../src/hadoop/codec/token-identifier.ts';
import type { TokenIdentifier } from '../../src/hadoop/codec/token-identifier.ts';

export interface LedgerEntry extends TokenIdentifier {
  readonly password: Uint8Array;
}

/** The delegation tokens of a fake nameservice: what real NameNodes of an HA pair share through the edit log. */
export class FakeTokenLedger {
  readonly issued: LedgerEntry[] = [];
  readonly live = new Map<number, LedgerEntry>();
  renewIntervalMs = 86_400_000n;
  maxLifetimeMs = 604_800_000n;

  issue(fields: {
    owner: string;
    renewer: string;
    kind: string;
    service: string;
    now: number;
    realUser?: string;
  }): string {
    const issueDate = BigInt(fields.now);
    const entry: LedgerEntry = {
      owner: fields.owner,
      renewer: fields.renewer,
      realUser: fields.realUser ?? '',
      issueDate,
      maxDate: issueDate + this.maxLifetimeMs,
      sequenceNumber: this.issued.length + 1,
      masterKeyId: 2,
      password: randomBytes(20),
    };
    this.issued.push(entry);
    this.live.set(entry.sequenceNumber, entry);
    const token: Token = {
      identifier: encodeTokenIdentifier(entry, 'writable'),
      password: entry.password,
      kind: fields.kind,
      service: fields.service,
    };
    return encodeTokenUrlString(token);
  }
}
