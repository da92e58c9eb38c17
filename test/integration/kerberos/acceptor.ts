import { join } from 'node:path';
import { endChild, forkBeside, nextMessage } from './child-process.ts';
import type { ThrowawayKdc } from './throwaway-kdc.ts';

/** A GSS acceptor for `HTTP/localhost` with a replay cache of its own, in a child process. */
export interface Acceptor {
  /** `{ user }` for a SPNEGO token it accepts, `{ error }` for another. One at a time. */
  accept(spnegoToken: string): Promise<unknown>;
  stop(): Promise<void>;
}

export const startAcceptor = (kdc: ThrowawayKdc, keytab: string): Acceptor => {
  const child = forkBeside('./acceptor-process.ts', {
    KRB5_CONFIG: kdc.krb5Conf,
    KRB5_KTNAME: `FILE:${keytab}`,
    KRB5RCACHENAME: `file2:${join(kdc.dir, 'replay-cache')}`,
    LC_ALL: 'C',
  });
  return {
    accept: async (spnegoToken) => {
      const answer = nextMessage(child);
      child.send(spnegoToken);
      return answer;
    },
    stop: () => endChild(child),
  };
};
