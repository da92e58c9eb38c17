// A server in small: opens a SPNEGO process, takes one token if it can, says who its child is, and waits to be killed or told to exit.
import { createSpnegoProcess } from '../../../src/kerberos/spnego-process.ts';

const [keytab = '', krb5Conf = '', ticketsParent = ''] = (process.env['OPTIONS'] ?? '').split('\n');
const spnegoProcess = await createSpnegoProcess({
  keytab,
  krb5Conf,
  ticketsParent,
  onEvent: (event) => process.send?.(event),
});
process.once('message', () => {
  process.exit(1); // as serve does at a second signal
});
await spnegoProcess.negotiate('localhost');
