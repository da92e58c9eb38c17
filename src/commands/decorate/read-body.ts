import type { IncomingMessage } from 'node:http';

/** Length of the body as the headers have it; undefined: they don't say (the API server always does). */
export function bodyLength({ headers }: IncomingMessage): number | undefined {
  const given = headers['content-length'] ?? '';
  return /^\d{1,15}$/.test(given) && headers['transfer-encoding'] === undefined ? Number(given) : undefined;
}

/** Node holds the body to the length that was said. Rejects when the caller goes away before its end. */
export async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}
