import type { Secret } from '../observability/secret.ts';
import type { Clock } from '../time/clock.ts';
import { CaFileError } from './read-ca-file.ts';
import { ServiceAccountTokenFileError } from './read-service-account-token.ts';
import { reportRejected, type ReportReply } from './report-rejected.ts';
import {
  type Contact,
  type CredentialsReply,
  type CredentialsSelection,
  requestCredentials,
} from './request-credentials.ts';

/** The service-account token or the CA file can't be used; nobody was asked. */
export interface Unusable {
  readonly outcome: 'unusable';
  readonly reason: string;
}

/** With a refusal: whether the file has another service-account token by now than the one that was refused. */
export type CredentialsOutcome = (CredentialsReply | Unusable) & { readonly tokenReplaced?: boolean };
export type ReportOutcome = ReportReply | Unusable;

export interface RequestLimits {
  readonly signal: AbortSignal;
  /** ms since the epoch; undefined: the time-out alone. */
  readonly endsAt?: number | undefined;
}

/** For a request that begins just before its end: less would tell nothing. */
const LEAST_TIMEOUT_MS = 1000;

export interface TokenClientOptions {
  readonly url: URL;
  readonly selection: CredentialsSelection;
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly readServiceAccountToken: () => Promise<Secret<string>>;
  readonly readCa: () => Promise<string | undefined>;
}

/** `kerbridge serve`, as the pod sees it. Both files are read anew for every try: kubelet and people replace them. */
export class TokenClient {
  readonly #options: TokenClientOptions;

  constructor(options: TokenClientOptions) {
    this.#options = options;
  }

  async getCredentials(etag: string, limits: RequestLimits): Promise<CredentialsOutcome> {
    const contact = await this.#contact(limits);
    if ('outcome' in contact) return contact;
    const reply = await requestCredentials({ ...contact, ...this.#options.selection, etag });
    if (reply.outcome !== 'refused' || reply.status !== 401) return reply;
    return { ...reply, tokenReplaced: await this.#hasAnotherThan(contact.serviceAccountToken) };
  }

  async reportRejected(sequenceNumber: string, limits: RequestLimits): Promise<ReportOutcome> {
    const contact = await this.#contact(limits);
    return 'outcome' in contact ? contact : await reportRejected(contact, sequenceNumber);
  }

  async #contact({ signal, endsAt = Number.POSITIVE_INFINITY }: RequestLimits): Promise<Contact | Unusable> {
    const { url, clock, readServiceAccountToken, readCa } = this.#options;
    const leftMs = Math.max(LEAST_TIMEOUT_MS, endsAt - clock.now());
    const timeoutMs = Math.min(this.#options.timeoutMs, leftMs);
    try {
      const ca = await readCa();
      const serviceAccountToken = await readServiceAccountToken();
      return { url, serviceAccountToken, clock, timeoutMs, signal, ...(ca === undefined ? {} : { ca }) };
    } catch (error) {
      if (error instanceof CaFileError || error instanceof ServiceAccountTokenFileError) {
        return { outcome: 'unusable', reason: error.message };
      }
      throw error;
    }
  }

  async #hasAnotherThan(refused: Secret<string>): Promise<boolean> {
    try {
      return (await this.#options.readServiceAccountToken()).reveal() !== refused.reveal();
    } catch {
      return false;
    }
  }
}
