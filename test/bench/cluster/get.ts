import { type Agent, request } from 'node:http';

export interface Got {
  readonly status: number;
  readonly retryAfter: string | undefined;
  readonly cookies: readonly string[];
  readonly text: string;
}

/** One GET over the agent's connections. */
export function get(
  agent: Agent,
  url: string,
  headers: Readonly<Record<string, string>>,
  from: { readonly localAddress?: string } = {},
): Promise<Got> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { agent, headers, ...from }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.on('error', reject).on('end', () => {
        resolve({
          status: response.statusCode ?? 0,
          retryAfter: response.headers['retry-after'],
          cookies: response.headers['set-cookie'] ?? [],
          text,
        });
      });
    });
    asked.on('error', reject).end();
  });
}
