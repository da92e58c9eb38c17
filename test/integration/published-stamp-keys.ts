import type { ApiCaller } from './api-caller.ts';

const CONFIG_MAP = '/api/v1/namespaces/kerbridge/configmaps/kerbridge-stamp-keys';

/** The public keys as `decorate` has published them: the text of the file that `serve` finds in its volume. */
export async function readPublishedKeys(api: ApiCaller): Promise<string> {
  const { data } = (await api.must(CONFIG_MAP, { method: 'GET' })) as { data?: Record<string, string> };
  const text = data?.['stamp-keys.json'];
  if (text === undefined) throw new Error('decorate has published no keys');
  return text;
}
