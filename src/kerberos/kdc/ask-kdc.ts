import { createSocket } from 'node:dgram';
import { connect, isIPv6 } from 'node:net';
import { errorCode } from '../../observability/error-code.ts';
import { decodeKdcAnswer, encodeAsRequest, type AsRequest, type KdcAnswer } from './as-exchange.ts';

export interface KdcAddress {
  readonly host: string;
  readonly port: number;
}

/** What came of asking one KDC over one transport; `silent` when it took the request and never answered. */
export type Asked =
  | { readonly outcome: 'answered'; readonly answer: KdcAnswer }
  | { readonly outcome: 'failed'; readonly code: string }
  | { readonly outcome: 'silent' }
  | { readonly outcome: 'not-kerberos' };

/** Asks one KDC, and ends with the signal at the latest. Never rejects. */
export type AskKdc = (
  transport: 'tcp' | 'udp',
  kdc: KdcAddress,
  request: AsRequest,
  signal: AbortSignal,
) => Promise<Asked>;

/** Far above any answer to a request without pre-authentication. */
const MAX_ANSWER_BYTES = 64 * 1024;

export const askKdc: AskKdc = (transport, kdc, request, signal) => {
  const message = encodeAsRequest(request);
  return transport === 'tcp' ? askByTcp(kdc, message, signal) : askByUdp(kdc, message, signal);
};

const judge = (bytes: Uint8Array): Asked => {
  const answer = decodeKdcAnswer(bytes);
  return answer === undefined ? { outcome: 'not-kerberos' } : { outcome: 'answered', answer };
};

/** Four bytes of length before each message (RFC 4120, 7.2.2). */
const askByTcp = ({ host, port }: KdcAddress, message: Uint8Array, signal: AbortSignal): Promise<Asked> =>
  new Promise((resolve) => {
    const socket = connect({ host, port });
    const chunks: Buffer[] = [];
    const end = (asked: Asked): void => {
      signal.removeEventListener('abort', onAbort);
      socket.destroy();
      resolve(asked);
    };
    const onAbort = (): void => end({ outcome: 'silent' });
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    socket.on('error', (error) => end({ outcome: 'failed', code: errorCode(error) }));
    socket.once('connect', () => {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(message.length);
      socket.write(Buffer.concat([length, message]));
    });
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      const all = Buffer.concat(chunks);
      if (all.length < 4) return;
      const length = all.readUInt32BE();
      if (length > MAX_ANSWER_BYTES) end({ outcome: 'not-kerberos' });
      else if (all.length >= 4 + length) end(judge(all.subarray(4, 4 + length)));
    });
    socket.once('end', () => end({ outcome: 'not-kerberos' }));
  });

const askByUdp = ({ host, port }: KdcAddress, message: Uint8Array, signal: AbortSignal): Promise<Asked> =>
  new Promise((resolve) => {
    const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4');
    let hasEnded = false;
    const end = (asked: Asked): void => {
      if (hasEnded) return;
      hasEnded = true;
      signal.removeEventListener('abort', onAbort);
      socket.close();
      resolve(asked);
    };
    const onAbort = (): void => end({ outcome: 'silent' });
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) {
      onAbort();
      return;
    }
    socket.on('error', (error) => end({ outcome: 'failed', code: errorCode(error) }));
    socket.once('message', (bytes) => end(judge(bytes)));
    socket.once('connect', () => {
      if (!hasEnded) socket.send(message);
    });
    // Connected, so that only this host's answer is taken, and that a closed port is told.
    socket.connect(port, host);
  });
