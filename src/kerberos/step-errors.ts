import { SpnegoError } from '../hadoop/spnego.ts';
import { classifyGssError } from './classify-gss-error.ts';
import type { StepOutcome } from './spnego-worker.ts';

/** A step that gave no token. */
export type StepFailure = Exclude<StepOutcome, { type: 'token' }>;

export const hungKeytabError = (path: string, timeoutMs: number): SpnegoError =>
  new SpnegoError('process', `the keytab ${path} could not be read within ${timeoutMs} ms`, {
    fix: 'See whether the file system with the keytab answers',
  });

/** The keytab was read, the worker was not there in time. */
export const notStartedError = (timeoutMs: number): SpnegoError =>
  new SpnegoError('process', `no Kerberos step could be started within ${timeoutMs} ms`, {
    fix: 'See whether the file systems with krb5.conf and the tickets answer',
  });

export const silentKdcError = (service: string, timeoutMs: number): SpnegoError =>
  new SpnegoError(
    'kdc-unreachable',
    `no SPNEGO token for ${service} within ${timeoutMs} ms: a KDC does not answer`,
    { fix: 'Check that the KDCs listed in krb5.conf answer on TCP, and take out those that do not' },
  );

/** For whoever waited in vain for others' turns to end. */
export const slowStepsError = (timeoutMs: number): SpnegoError =>
  new SpnegoError(
    'kdc-unreachable',
    `no Kerberos step could begin within ${timeoutMs} ms: those before it take too long`,
    { fix: 'Check that the KDCs listed in krb5.conf answer, and take out those that do not' },
  );

/** What a failure means for the caller and the operator. */
export const stepFailureError = (outcome: StepFailure, service: string, principal: string): SpnegoError => {
  if (outcome.type === 'ended') {
    return new SpnegoError('process', `the Kerberos child process is gone: ${outcome.reason}`, {
      fix: 'The next call starts another one. If this goes on: libgssapi-krb5-2 must be installed, and memory and process limits must leave room for a second Node process',
    });
  }
  const { failure, fix } = classifyGssError(outcome.message);
  return new SpnegoError(
    failure,
    `no SPNEGO token for ${service} as ${principal}: ${outcome.message}`,
    fix === undefined ? {} : { fix },
  );
};
