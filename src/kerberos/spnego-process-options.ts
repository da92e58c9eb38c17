import type { Clock } from '../time/clock.ts';
import type { KeytabSource } from './keytab-file.ts';
import type { SpawnWorker } from './spawn-worker.ts';
import type { SpnegoProcessEvent } from './spnego-process-event.ts';
import type { MakeTickets } from './tickets.ts';

export interface SpnegoProcessOptions {
  /** Path of an MIT keytab (format 0x0502). It is read again whenever it changes. */
  readonly keytab: string;
  /** `name[/instance]@REALM`, which must be in the keytab; its first entry when undefined. */
  readonly principal?: string;
  /** Path of krb5.conf, or several with colons between; MIT's default (/etc/krb5.conf) when undefined. */
  readonly krb5Conf?: string;
  /**
   * Longest time for one step, its repetition included. MIT waits ten seconds for each silent KDC, once for the ticket-granting ticket and once
   * for the service's; 40 s by default, so that one dead KDC before a healthy one is passed with room to spare.
   */
  readonly stepTimeoutMs?: number;
  /** Longest time in the queue, by default as long as a step. */
  readonly waitTimeoutMs?: number;
  /** How many callers may wait. */
  readonly queueLimit?: number;
  /**
   * How long a refusal of our credentials stands before the KDC is asked again with the same keytab, 10 s by default;
   * twice as long for each further one in a row, up to 10 minutes. A wrong key asked with often would lock the account
   * (Active Directory does so after a few tries). A changed keytab or `discardTickets()` ends it at once.
   */
  readonly credentialsHoldMs?: number;
  /** The directory for the private directories with tickets; the system's temporary one by default. */
  readonly ticketsParent?: string;
  /** Surroundings to pass a few harmless variables from (PATH, LD_LIBRARY_PATH, TZ, KRB5_TRACE); none by default. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  readonly clock?: Clock;
  readonly onEvent?: (event: SpnegoProcessEvent) => void;
  /** The ways to the outside, for tests. */
  readonly adapters?: {
    readonly spawnWorker?: SpawnWorker;
    readonly keytabSource?: KeytabSource;
    readonly makeTickets?: MakeTickets;
  };
}
