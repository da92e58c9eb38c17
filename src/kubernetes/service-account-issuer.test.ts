import {
  createConfiguration,
  ResponseContext,
  ServerConfiguration,
  wrapHttpLibrary,
} from '@kubernetes/client-node';
import { describe, expect, it } from '@jest/globals';
import type { KubernetesApiError } from './kubernetes-api-error.ts';
import type { Call } from './operator-calls.ts';
import { createServiceAccountIssuerReader } from './service-account-issuer.ts';

const DISCOVERY = '/.well-known/openid-configuration';
const KEY_SET = '/openid/v1/jwks';
const DOCUMENTS: Readonly<Record<string, unknown>> = {
  // As API server 1.36 sends them.
  [DISCOVERY]: { issuer: 'https://kubernetes.default.svc', jwks_uri: 'https://else.where/openid/v1/jwks' },
  [KEY_SET]: { keys: [{ kty: 'RSA', kid: 'a' }, 'anything'] },
};

function setUp(documents: Readonly<Record<string, unknown>> = {}) {
  const asked: string[] = [];
  const described: unknown[] = [];
  const httpApi = wrapHttpLibrary({
    send: (request) => {
      const url = new URL(request.getUrl());
      asked.push(`${request.getHttpMethod()} ${url.href}`);
      const text = JSON.stringify({ ...DOCUMENTS, ...documents }[url.pathname]);
      const type = url.pathname === KEY_SET ? 'application/jwk-set+json' : 'application/json';
      const body = {
        text: () => Promise.resolve(text),
        binary: () => Promise.resolve(Buffer.from(text)),
        stream: () => null,
      };
      return Promise.resolve(new ResponseContext(200, { 'content-type': type }, body));
    },
  });
  const call: Call = async (what, signal, start) => {
    described.push(what);
    signal?.throwIfAborted();
    return await start({ httpApi });
  };
  const configuration = createConfiguration({ baseServer: new ServerConfiguration('https://api:6443', {}) });
  return { read: createServiceAccountIssuerReader({ call, configuration }), asked, described };
}

describe('createServiceAccountIssuerReader', () => {
  it.each<readonly [string, Record<string, unknown>, string]>([
    ['null for a discovery document', { [DISCOVERY]: null }, 'issuer'],
    ['a discovery document without an issuer', { [DISCOVERY]: {} }, 'issuer'],
    ['an issuer that is no string', { [DISCOVERY]: { issuer: ['https://a'] } }, 'issuer'],
    ['an empty issuer', { [DISCOVERY]: { issuer: '' } }, 'issuer'],
    ['an endless issuer', { [DISCOVERY]: { issuer: 'x'.repeat(2_049) } }, 'issuer'],
    ['a list for a key set', { [KEY_SET]: [] }, 'keys'],
    ['a key set without keys', { [KEY_SET]: {} }, 'keys'],
    ['keys that are no list', { [KEY_SET]: { keys: { length: 1 } } }, 'keys'],
  ])('rejects %s', async (_, documents, missing) => {
    const error = (await setUp(documents)
      .read()
      .catch((caught: unknown) => caught)) as KubernetesApiError;
    expect({ name: error.name, code: error.code }).toEqual({ name: 'KubernetesApiError', code: 'bad-reply' });
    expect(error.message).toContain(missing);
  });

  it("rejects with the signal's reason", async () => {
    const { read, asked } = setUp();
    const reason = new Error('client went away');
    await expect(read({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(asked).toEqual([]);
  });

  it('reads both from the API server itself, wherever the document says that the keys are', async () => {
    const { read, asked } = setUp();
    expect(await read()).toEqual({
      issuer: 'https://kubernetes.default.svc',
      keys: [{ kty: 'RSA', kid: 'a' }, 'anything'],
    });
    expect(asked.toSorted()).toEqual([`GET https://api:6443${DISCOVERY}`, `GET https://api:6443${KEY_SET}`]);
  });

  it('names the fix for a 403 and a 404', async () => {
    const { read, described } = setUp();
    await read();
    const fixes = {
      403: expect.stringContaining('system:service-account-issuer-discovery') as unknown,
      404: expect.stringContaining('--service-account-issuer') as unknown,
    };
    expect(described).toEqual([
      { request: `GET ${DISCOVERY}`, rule: `\`get\` on \`${DISCOVERY}\``, fixes },
      { request: `GET ${KEY_SET}`, rule: `\`get\` on \`${KEY_SET}\``, fixes },
    ]);
  });
});
