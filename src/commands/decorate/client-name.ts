import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';

/** The names of the client's certificate, which TLS has verified: common name and DNS names. */
export function clientNamesOf(socket: Socket): readonly string[] {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return [];
  const { subject, subjectaltname = '' } = socket.getPeerCertificate();
  const commonName: unknown = subject?.CN;
  const names = typeof commonName === 'string' ? [commonName] : [];
  return [
    ...names,
    ...[...subjectaltname.matchAll(/(?:^|, )DNS:([\w.*-]+)(?=,|$)/g)].map(([, name = '']) => name),
  ];
}
