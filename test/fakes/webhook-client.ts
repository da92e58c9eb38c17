import { request, type RequestOptions } from 'node:https';

export interface WebhookReply {
  readonly status: number;
  readonly contentType: string;
  readonly text: string;
}

export interface SentReview extends RequestOptions {
  readonly port: number;
  readonly path?: string;
  readonly body: string | Buffer;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Sends as the API server does: POST, JSON, a length. */
export function send({ body, headers = {}, ...options }: SentReview): Promise<WebhookReply> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        host: '127.0.0.1',
        servername: 'localhost',
        method: 'POST',
        path: '/mutate?timeout=10s',
        agent: false,
        ...options,
        headers: {
          'Content-Type': 'application/json',
          'Content-Length': Buffer.byteLength(body),
          ...headers,
        },
      },
      (incoming) => {
        const chunks: Buffer[] = [];
        incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
        incoming.on('error', reject);
        incoming.on('end', () => {
          const { statusCode: status = 0, headers: got } = incoming;
          resolve({ status, contentType: got['content-type'] ?? '', text: Buffer.concat(chunks).toString() });
        });
      },
    );
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

/** `response` of the AdmissionReview in a reply. */
export function responseOf({ status, text }: WebhookReply): Record<string, unknown> {
  if (status !== 200) throw new Error(`${status}: ${text}`);
  return (JSON.parse(text) as { response: Record<string, unknown> }).response;
}
