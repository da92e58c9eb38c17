/**
 * The child process that owns GSS. It does one step at a time, as its parent asks; KRB5_CONFIG, KRB5_CLIENT_KTNAME and
 * KRB5CCNAME are set before it starts, since libkrb5 reads them once. With no parent it removes its tickets and ends.
 */
import { rmdirSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { parseWorkerRequest, type WorkerReply, type WorkerRequest } from './protocol.ts';

const reply = (message: WorkerReply): void => {
  process.send?.(message);
};

const textOf = (error: unknown): string => (error instanceof Error ? error.message : 'unknown error');

/** A graceful exit would wait for the pool's thread, which a silent KDC holds for half a minute and more. */
const end = (): void => {
  process.kill(process.pid, 'SIGKILL');
};

const removeTickets = (): void => {
  const cache = process.env['KRB5CCNAME'];
  if (cache?.startsWith('FILE:') === true) {
    const path = cache.slice('FILE:'.length);
    rmSync(path, { force: true });
    rmdirSync(dirname(path));
  }
};

process.title = 'kerbridge kerberos';
// A Ctrl-C reaches the whole process group; the parent may still need tickets while it shuts down.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {});
}
process.on('disconnect', () => {
  try {
    removeTickets();
  } finally {
    end();
  }
});

const kerberos = await import('kerberos').catch((error: unknown) => {
  reply({ type: 'unusable', message: textOf(error) });
  return undefined;
});

const step = async ({ id, service, principal }: WorkerRequest): Promise<WorkerReply> => {
  try {
    if (kerberos === undefined) {
      throw new Error('GSS could not be loaded');
    }
    // A new context each time: a SPNEGO token can be used once only.
    const client = await kerberos.initializeClient(service, {
      principal,
      mechOID: kerberos.GSS_MECH_OID_SPNEGO,
    });
    return { type: 'token', id, token: await client.step('') };
  } catch (error) {
    return { type: 'refused', id, message: textOf(error) };
  }
};

process.on('message', (message) => {
  const request = parseWorkerRequest(message);
  if (request === undefined) {
    end();
    return;
  }
  void step(request).then(reply);
});
