import { afterEach, describe, expect, it } from '@jest/globals';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { askKdc } from './ask-kdc.ts';
import { encodeAsRequest } from './as-exchange.ts';

const REQUEST = { principal: { components: ['kerbridge'], realm: 'R.TEST' }, nonce: 1, enctypes: [18] };
/** An AS-REP as far as it is looked at. */
const TICKET = Buffer.from('6b0c300aa003020105a10302010b', 'hex');

const framed = (message: Uint8Array): Buffer => {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(message.length);
  return Buffer.concat([length, message]);
};

const closers: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

const startTcp = async (onConnection: (socket: Socket) => void): Promise<number> => {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    onConnection(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => {
      server.close(resolve);
    });
  });
  return (server.address() as AddressInfo).port;
};

const startUdp = async (answer: (message: Buffer) => Uint8Array | undefined): Promise<number> => {
  const socket = createSocket('udp4');
  socket.on('message', (message, { port }) => {
    const reply = answer(message);
    if (reply !== undefined) socket.send(reply, port, '127.0.0.1');
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  closers.push(async () => {
    socket.close();
    await once(socket, 'close');
  });
  return socket.address().port;
};

const ask = (transport: 'tcp' | 'udp', port: number, signal = new AbortController().signal) =>
  askKdc(transport, { host: '127.0.0.1', port }, REQUEST, signal);

describe('askKdc', () => {
  it('asks by TCP with the length before, and reads an answer that comes in pieces', async () => {
    let received = Buffer.alloc(0);
    const wanted = framed(encodeAsRequest(REQUEST));
    const port = await startTcp((socket) => {
      socket.on('data', (chunk: Buffer) => {
        received = Buffer.concat([received, chunk]);
        if (received.length < wanted.length) return;
        const answer = framed(TICKET);
        socket.write(answer.subarray(0, 3), () => {
          socket.write(answer.subarray(3, 6), () => socket.end(answer.subarray(6)));
        });
      });
    });
    expect(await ask('tcp', port)).toEqual({ outcome: 'answered', answer: { type: 'ticket' } });
    expect(received).toEqual(wanted);
  });

  it('asks by UDP', async () => {
    let received: Buffer | undefined;
    const port = await startUdp((message) => {
      received = message;
      return TICKET;
    });
    expect(await ask('udp', port)).toEqual({ outcome: 'answered', answer: { type: 'ticket' } });
    expect(received).toEqual(Buffer.from(encodeAsRequest(REQUEST)));
  });

  it.each(['tcp', 'udp'] as const)('tells a closed port by %s', async (transport) => {
    const port = await startTcp(() => {});
    for (const close of closers.splice(0)) await close();
    expect(await ask(transport, port)).toEqual({ outcome: 'failed', code: 'ECONNREFUSED' });
  });

  it.each(['tcp', 'udp'] as const)('tells a name that does not resolve by %s', async (transport) => {
    // Too long for any name server to be asked.
    const kdc = { host: 'x'.repeat(300), port: 88 };
    const asked = await askKdc(transport, kdc, REQUEST, new AbortController().signal);
    expect(asked).toMatchObject({ outcome: 'failed' });
  });

  it.each(['tcp', 'udp'] as const)('ends with the signal by %s', async (transport) => {
    const over = new AbortController();
    const port =
      transport === 'tcp'
        ? await startTcp(() => over.abort())
        : await startUdp(() => {
            over.abort();
            return undefined;
          });
    expect(await ask(transport, port, over.signal)).toEqual({ outcome: 'silent' });
    expect(await ask(transport, port, over.signal)).toEqual({ outcome: 'silent' });
  });

  it.each([
    ['hangs up', Buffer.alloc(0)],
    ['speaks HTTP', Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')],
    ['answers what is no Kerberos', framed(Buffer.from('hello'))],
  ])('knows that somebody who %s is no KDC', async (_, answer) => {
    const port = await startTcp((socket) => socket.end(answer));
    const { outcome } = await ask('tcp', port);
    // Our request may meet a socket that is closed already.
    expect(['not-kerberos', 'failed']).toContain(outcome);
    expect(outcome).not.toBe('answered');
  });
});
