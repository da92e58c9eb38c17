import { once } from 'node:events';
import { connect, type TLSSocket } from 'node:tls';

/** Longer than a measurement. */
const TIMEOUT_MS = 25_000;

/** A TLS connection on which one question follows another. Less of it is our own work than with Node's client. */
export class KeptConnection {
  readonly #socket: TLSSocket;
  #answer = '';
  #waiting: { readonly take: (answer: string) => void; readonly fail: (error: Error) => void } | undefined;

  private constructor(socket: TLSSocket) {
    this.#socket = socket;
    socket.setEncoding('latin1').on('data', (chunk: string) => {
      this.#answer += chunk;
      if (isWhole(this.#answer)) this.#waiting?.take(this.#answer);
    });
    socket.on('error', (error) => this.#waiting?.fail(error));
    socket.on('close', () => this.#waiting?.fail(new Error('the connection was closed')));
  }

  static async open(port: number): Promise<KeptConnection> {
    const socket = connect({ port, host: '127.0.0.1', servername: 'localhost', rejectUnauthorized: false });
    socket.setTimeout(TIMEOUT_MS, () => socket.destroy(new Error('nothing came')));
    await once(socket, 'secureConnect');
    return new KeptConnection(socket);
  }

  /** The answer whole, in latin1. Rejects when the connection breaks, and at once when it has done so. */
  async ask(request: Buffer): Promise<string> {
    if (this.#socket.destroyed) throw new Error('the connection was closed');
    this.#answer = '';
    const answered = new Promise<string>((take, fail) => (this.#waiting = { take, fail }));
    this.#socket.write(request);
    try {
      return await answered;
    } finally {
      this.#waiting = undefined;
    }
  }

  close(): void {
    this.#socket.destroy();
  }
}

/** Whether head and body are there. */
function isWhole(answer: string): boolean {
  const end = answer.indexOf('\r\n\r\n');
  if (end === -1) return false;
  const length = /^Content-Length: (\d+)\r$/im.exec(answer.slice(0, end + 1))?.[1];
  return answer.length >= end + 4 + Number(length ?? 0);
}
