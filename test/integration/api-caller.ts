import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { Agent, request } from 'node:https';
import type { IncomingMessage } from 'node:http';
import { json } from 'node:stream/consumers';
import { z } from 'zod';
import type { Stack } from '../stack/stack.ts';
import type { Secret } from '../../src/observability/secret.ts';
import { loadConfig } from './kubernetes-objects.ts';

/** Who a request comes from; the administrator without. The administrator impersonates, unless there is a token. */
export interface Requester {
  readonly user: string;
  readonly groups?: readonly string[];
  readonly uid?: string;
  readonly extra?: Readonly<Record<string, string>>;
  /** A token: whose it is asks, and `user` only says who that is. */
  readonly bearer?: Secret<string>;
  /** Whose the token is impersonates `user`. */
  readonly impersonates?: true;
}

/** What is written, and how: each kind has its own way through the API server. */
export type Write =
  | { readonly method: 'POST' | 'PUT'; readonly body: object }
  | { readonly method: 'PATCH'; readonly kind: PatchKind; readonly body: object }
  | { readonly method: 'DELETE' | 'GET' };
export type PatchKind = 'merge' | 'JSON' | 'strategic' | 'apply';

const PATCH_TYPES: Readonly<Record<PatchKind, string>> = {
  merge: 'application/merge-patch+json',
  JSON: 'application/json-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
};

/** Server-side apply with force, under the one name that all of these tests own their fields by. */
export const FIELD_MANAGER = 'tenant';

const object = z.looseObject({
  message: z.string().optional(),
  metadata: z
    .looseObject({
      name: z.string().optional(),
      uid: z.string().optional(),
      annotations: z.record(z.string(), z.string()).optional(),
      labels: z.record(z.string(), z.string()).optional(),
    })
    .optional(),
});
export type ApiObject = z.infer<typeof object>;

export interface Reply {
  readonly status: number;
  readonly body: ApiObject;
  /** What `kubectl` shows beside the answer. */
  readonly warnings: readonly string[];
}

export interface ApiCaller {
  call(path: string, write: Write, as?: Requester): Promise<Reply>;
  /** @throws Error with the API server's message unless it did what was asked. */
  must(path: string, write: Write, as?: Requester): Promise<ApiObject>;
  close(): void;
}

function impersonate(
  headers: Record<string, string | string[]>,
  { user, groups, uid, extra }: Requester,
): void {
  // The API server takes a header's bytes for UTF-8; Node writes one byte for each character.
  headers['impersonate-user'] = Buffer.from(user).toString('latin1');
  // Without: those that the API server gives to a user, or a service account, by itself.
  if (groups !== undefined) headers['impersonate-group'] = [...groups, 'system:authenticated'];
  if (uid !== undefined) headers['impersonate-uid'] = uid;
  for (const [key, value] of Object.entries(extra ?? {}))
    headers[`impersonate-extra-${encodeURIComponent(key)}`] = value;
}

/** Plain requests: no client's idea of how an object is changed is in the way. */
export async function openApi({ server, caFile, kubeconfig }: Stack['kubernetes']): Promise<ApiCaller> {
  const bearerToken = loadConfig(kubeconfig.admin).getCurrentUser()?.token;
  if (bearerToken === undefined) throw new Error('the kubeconfig of the administrator has no token');
  const agent = new Agent({ keepAlive: true, ca: await readFile(caFile) });

  async function call(path: string, write: Write, as?: Requester): Promise<Reply> {
    const url = new URL(path, server);
    const headers: Record<string, string | string[]> = {
      authorization: `Bearer ${bearerToken}`,
      accept: 'application/json',
      'content-type': write.method === 'PATCH' ? PATCH_TYPES[write.kind] : 'application/json',
    };
    if (as?.bearer !== undefined) headers['authorization'] = `Bearer ${as.bearer.reveal()}`;
    if (as !== undefined && (as.bearer === undefined || as.impersonates === true)) impersonate(headers, as);
    if (write.method === 'PATCH' && write.kind === 'apply') {
      url.searchParams.set('fieldManager', FIELD_MANAGER);
      url.searchParams.set('force', 'true');
    }
    const sent = request(url, { method: write.method, agent, headers, timeout: 20_000 });
    sent.once('timeout', () => sent.destroy(new Error(`no answer to ${write.method} ${path}`)));
    // As bytes: Node would write the head in the encoding of a text.
    sent.end('body' in write ? Buffer.from(JSON.stringify(write.body)) : undefined);
    const [reply] = (await once(sent, 'response')) as [IncomingMessage];
    const warnings = [...(reply.headers.warning ?? '').matchAll(/299 - "((?:[^"\\\\]|\\\\.)*)"/g)];
    return {
      status: reply.statusCode ?? 0,
      body: object.parse(await json(reply)),
      warnings: warnings.map(([, text = '']) => text),
    };
  }

  return {
    call,
    must: async (path, write, as) => {
      const { status, body } = await call(path, write, as);
      if (status >= 300) throw new Error(`${write.method} ${path}: ${status} ${body.message ?? ''}`);
      return body;
    },
    close: () => agent.destroy(),
  };
}
