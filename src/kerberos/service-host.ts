import { isIP } from 'node:net';
import { SpnegoError } from '../hadoop/spnego.ts';

const MAX_HOST_LENGTH = 253;
const LABEL = /^[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$/u;

/**
 * `HTTP@host`, the host-based GSS service name (RFC 2743, 4.1) of a web server, for a DNS name or an IP address.
 * Anything that GSS could read as something else ('/', '@', white space, NUL, a port) throws {@link SpnegoError}
 * 'configuration': the host decides which service gets a proof of who we are.
 */
export const httpServiceName = (host: string): string => {
  // Judged before lower-casing, which turns some letters outside ASCII (the Kelvin sign) into letters inside it.
  const isName = host.length <= MAX_HOST_LENGTH && host.split('.').every((label) => LABEL.test(label));
  // A zone id (fe80::1%eth0) is an address to isIP, but means nothing outside this machine.
  const isAddress = isIP(host) !== 0 && !host.includes('%');
  if (!isName && !isAddress) {
    throw new SpnegoError(
      'configuration',
      `${JSON.stringify(host.slice(0, 80))} is no host name or IP address`,
      {
        fix: "Give the server's fully qualified name as in its HTTP principal, without scheme, port or trailing dot",
      },
    );
  }
  return `HTTP@${host.toLowerCase()}`;
};
