// The other side of SPNEGO, as a web server would have it: KRB5_KTNAME holds the key of HTTP/localhost.
import { initializeServer } from 'kerberos';

const accept = async (spnegoToken: string): Promise<{ user: string } | { error: string }> => {
  try {
    const server = await initializeServer('HTTP@localhost');
    await server.step(spnegoToken);
    return { user: server.username };
  } catch (error) {
    return { error: error instanceof Error ? error.message : 'unknown' };
  }
};

process.on('disconnect', () => {
  process.exit(0);
});
process.on('message', (spnegoToken) => {
  void accept(String(spnegoToken)).then((answer) => process.send?.(answer));
});
