import { describe, expect, it } from '@jest/globals';
import { classifyGssError } from './classify-gss-error.ts';

const NO_CREDENTIALS = 'No credentials were supplied, or the credentials were unavailable or inaccessible: ';
const UNSPECIFIED = 'Unspecified GSS failure.  Minor code may provide more information: ';

// The texts are those of MIT 1.20.1, as npm kerberos 7.0.0 hands them on.
describe('classifyGssError', () => {
  it.each([
    [`${NO_CREDENTIALS}Cannot contact any KDC for realm 'EXAMPLE.COM'`, 'kdc-unreachable', 'no', 'port 88'],
    [`${UNSPECIFIED}Cannot contact any KDC for realm 'EXAMPLE.COM'`, 'kdc-unreachable', 'no', 'port 88'],
    [`${NO_CREDENTIALS}Cannot find KDC for realm "EXAMPLE.COM"`, 'configuration', 'no', '[realms]'],
    [
      'An invalid name was supplied: Improper format of Kerberos configuration file',
      'configuration',
      'no',
      'krb5.conf',
    ],
    [
      "An invalid name was supplied: Can't open/find Kerberos configuration file",
      'configuration',
      'no',
      'krb5.conf',
    ],
    [
      `${NO_CREDENTIALS}Configuration file does not specify default realm`,
      'configuration',
      'no',
      'krb5.conf',
    ],
    [`${NO_CREDENTIALS}KDC has no support for encryption type`, 'configuration', 'no', 'permitted_enctypes'],
    [`${UNSPECIFIED}Clock skew too great`, 'configuration', 'no', 'NTP'],
    [`${NO_CREDENTIALS}Decrypt integrity check failed`, 'credentials', 'changed-keytab', 'Export the keytab'],
    [`${NO_CREDENTIALS}Preauthentication failed`, 'credentials', 'changed-keytab', 'Export the keytab'],
    [
      `${NO_CREDENTIALS}Client 'x@EXAMPLE.COM' not found in Kerberos database`,
      'credentials',
      'changed-keytab',
      'addprinc',
    ],
    [
      `${NO_CREDENTIALS}Can't find client principal x@R in cache collection`,
      'credentials',
      'changed-keytab',
      'no usable key',
    ],
    [`${NO_CREDENTIALS}Client's credentials have been revoked`, 'credentials', 'no', 'locked out'],
    [`${NO_CREDENTIALS}Client's entry in database has expired`, 'credentials', 'no', 'expired'],
    [
      `${NO_CREDENTIALS}SPNEGO cannot find mechanisms to negotiate`,
      'credentials',
      'changed-keytab',
      'kinit -kt',
    ],
    [
      `${UNSPECIFIED}Server HTTP/nn@EXAMPLE.COM not found in Kerberos database`,
      'unknown-service',
      'no',
      'HTTP/<host>',
    ],
    [
      `${UNSPECIFIED}Server HTTP\\/nn/vm@EXAMPLE.COM not found in Kerberos database`,
      'unknown-service',
      'no',
      'HTTP/<host>',
    ],
    [
      `${UNSPECIFIED}Server krbtgt/OTHER@EXAMPLE.COM not found in Kerberos database`,
      'unknown-service',
      'no',
      '[domain_realm]',
    ],
    [`${UNSPECIFIED}Matching credential not found`, 'gss', 'same', 'race'],
    [
      `${NO_CREDENTIALS}Principal in credential cache does not match desired name`,
      'gss',
      'fresh-tickets',
      'writable',
    ],
    [
      `${NO_CREDENTIALS}Failed to store credentials: No credentials cache found`,
      'gss',
      'fresh-tickets',
      'writable',
    ],
    [`${UNSPECIFIED}Ticket expired`, 'gss', 'fresh-tickets', 'credential cache'],
  ])('reads %s as %s, retry %s', (message, failure, retry, fix) => {
    expect(classifyGssError(message)).toEqual({ failure, retry, fix: expect.stringContaining(fix) });
  });

  it.each(['', 'A token was invalid: Unknown error', 'parameter `challenge` must be a string.'])(
    'knows nothing about %j',
    (message) => {
      expect(classifyGssError(message)).toEqual({ failure: 'gss', fix: undefined, retry: 'no' });
    },
  );

  it('never reads a missing service as missing credentials', () => {
    const mixed = `${NO_CREDENTIALS}Server HTTP/client@R not found in Kerberos database`;
    expect(classifyGssError(mixed).failure).toBe('unknown-service');
  });
});
