import { Secret } from '../../src/observability/secret.ts';
import type { SpnegoInitiator } from '../../src/hadoop/spnego.ts';

/** What a fake acceptor reads out of a fake SPNEGO token. */
export interface FakeSpnegoToken {
  readonly principal: string;
  readonly host: string;
  readonly serial: number;
  /** Tells tickets from before a change of the server's key from those after it. */
  readonly keyVersion: number;
}

let serial = 0;

export function makeFakeSpnegoToken(principal: string, host: string, keyVersion = 1): string {
  serial += 1;
  const token: FakeSpnegoToken = { principal, host, serial, keyVersion };
  return Buffer.from(`fake-spnego:${JSON.stringify(token)}`).toString('base64');
}

export function readFakeSpnegoToken(base64: string): FakeSpnegoToken | undefined {
  const text = Buffer.from(base64, 'base64').toString('utf8');
  return text.startsWith('fake-spnego:') ? (JSON.parse(text.slice(12)) as FakeSpnegoToken) : undefined;
}

/** Makes tokens that the fake NameNode reads. Hand it an error, or a gate, to see what others make of them. */
export class FakeSpnegoInitiator implements SpnegoInitiator {
  readonly principal: string;
  readonly hosts: string[] = [];
  readonly signals: (AbortSignal | undefined)[] = [];
  keyVersion = 1;
  /** Rejects with it, or with what it returns for the host. */
  failure: Error | ((host: string) => Error | undefined) | undefined;
  /** Waits for it first. */
  gate: Promise<void> | undefined;
  /** Hands these out before it makes new ones. */
  readonly next: string[] = [];

  constructor(principal = 'kerbridge@KERBRIDGE.TEST') {
    this.principal = principal;
  }

  async negotiate(host: string, options: { readonly signal?: AbortSignal } = {}): Promise<Secret<string>> {
    this.hosts.push(host);
    this.signals.push(options.signal);
    await this.gate;
    const failure = typeof this.failure === 'function' ? this.failure(host) : this.failure;
    if (failure !== undefined) throw failure;
    return new Secret(this.next.shift() ?? makeFakeSpnegoToken(this.principal, host, this.keyVersion));
  }
}
