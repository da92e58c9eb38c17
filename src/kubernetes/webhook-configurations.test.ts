import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { KubernetesApiError } from './kubernetes-api-error.ts';
import { type KubernetesApi, loadKubernetesApi } from './kubernetes-api.ts';

const ID = { kind: 'MutatingWebhookConfiguration', name: 'kerbridge' } as const;
const PEM = '-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n';
const ENCODED = Buffer.from(PEM).toString('base64');
const PATH = '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/kerbridge';
const GROUP = 'mutatingwebhookconfigurations.admissionregistration.k8s.io';

interface Configuration {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly resourceVersion: string };
  readonly webhooks?: unknown;
}

let folder: string;
let server: http.Server;
let api: KubernetesApi;
/** As the API server has it: a PUT must be of its version. */
let stored: Configuration;
let seen: string[];
/** Before a PUT is looked at. */
let onPut: () => void;
let answerInstead: ((method: string) => [number, unknown] | undefined) | undefined;

const configuration = (webhooks: unknown, resourceVersion = '1'): Configuration => ({
  kind: ID.kind,
  metadata: { name: ID.name, resourceVersion },
  ...(webhooks === undefined ? {} : { webhooks }),
});

const status = (code: number, reason: string, kind = GROUP): [number, unknown] => [
  code,
  { kind: 'Status', code, reason, details: { name: ID.name, kind } },
];

function reply(method: string, body: string): [number, unknown] {
  const instead = answerInstead?.(method);
  if (instead !== undefined) return instead;
  if (method === 'GET') return [200, stored];
  onPut();
  const sent = JSON.parse(body) as Configuration;
  if (sent.metadata.resourceVersion !== stored.metadata.resourceVersion) return status(409, 'Conflict');
  stored = { ...sent, metadata: { ...sent.metadata, resourceVersion: `${sent.metadata.resourceVersion}0` } };
  return [200, stored];
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kerbridge-webhooks-'));
  seen = [];
  onPut = () => undefined;
  answerInstead = undefined;
  server = http.createServer((request, response) => {
    void (async () => {
      const { method = '', url = '' } = request;
      seen.push(`${method} ${url}`);
      const [code, body] = reply(method, await text(request));
      response.writeHead(code, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    })();
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const kubeconfig = join(folder, 'kubeconfig');
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  await writeFile(
    kubeconfig,
    JSON.stringify({
      clusters: [{ name: 'c', cluster: { server: address, 'insecure-skip-tls-verify': true } }],
      users: [{ name: 'u', user: { token: 'our-own' } }],
      contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
      'current-context': 'x',
    }),
  );
  api = loadKubernetesApi({ kubeconfig, timeoutMs: 1_000 });
});

afterEach(async () => {
  api.close();
  server.closeAllConnections();
  await new Promise((resolve) => {
    server.close(resolve);
  });
  await rm(folder, { recursive: true });
});

describe('putCaBundle', () => {
  it('gives every webhook the bundle, and changes nothing else', async () => {
    stored = configuration([
      { name: 'a', clientConfig: { service: { name: 's', namespace: 'n' } }, rules: [{ later: true }] },
      { name: 'b', clientConfig: { url: 'https://x', caBundle: 'old' } },
    ]);
    expect(await api.putCaBundle(ID, PEM)).toBe('written');
    expect(stored.webhooks).toEqual([
      {
        name: 'a',
        clientConfig: { service: { name: 's', namespace: 'n' }, caBundle: ENCODED },
        rules: [{ later: true }],
      },
      { name: 'b', clientConfig: { url: 'https://x', caBundle: ENCODED } },
    ]);
    expect(seen).toEqual([`GET ${PATH}`, `PUT ${PATH}`]);
  });

  it.each([
    ['nothing is different', [{ name: 'a', clientConfig: { caBundle: ENCODED } }]],
    ['there are no webhooks', undefined],
    ['the webhooks are none', []],
  ])('writes nothing where %s', async (_name, webhooks) => {
    stored = configuration(webhooks);
    expect(await api.putCaBundle(ID, PEM)).toBe('unchanged');
    expect(seen).toEqual([`GET ${PATH}`]);
  });

  it('asks for the other kind of configuration under its own path', async () => {
    answerInstead = () => status(404, 'NotFound');
    await expect(
      api.putCaBundle({ kind: 'ValidatingWebhookConfiguration', name: 'a/b' }, PEM),
    ).rejects.toMatchObject({
      message: expect.stringContaining('404'),
      fix: expect.stringContaining('apply'),
    });
    expect(seen).toEqual(['GET /apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/a%2Fb']);
  });

  it('keeps what somebody else writes in between', async () => {
    stored = configuration([{ name: 'a', clientConfig: {} }]);
    let others = 2;
    onPut = () => {
      if (others === 0) return;
      others -= 1;
      stored = configuration([{ name: `other-${others}`, clientConfig: {} }], `9${others}`);
    };
    expect(await api.putCaBundle(ID, PEM)).toBe('written');
    expect(stored.webhooks).toEqual([{ name: 'other-0', clientConfig: { caBundle: ENCODED } }]);
  });

  it('gives up where somebody else always writes in between', async () => {
    stored = configuration([{ name: 'a', clientConfig: {} }]);
    onPut = () => {
      stored = configuration([{ name: 'a', clientConfig: {} }], String(seen.length + 100));
    };
    const error = (await api.putCaBundle(ID, PEM).catch((thrown: unknown) => thrown)) as KubernetesApiError;
    expect(error).toMatchObject({ code: 'bad-reply', fix: expect.stringContaining('cert-manager') });
    expect(seen).toHaveLength(10);
  });

  it.each<[string, string, [number, unknown], Record<string, unknown>]>([
    [
      'may not read',
      'GET',
      status(403, 'Forbidden'),
      { code: 'forbidden', fix: expect.stringContaining('`get`') },
    ],
    [
      'may not write',
      'PUT',
      status(403, 'Forbidden'),
      { code: 'forbidden', fix: expect.stringContaining('`update`') },
    ],
    ['is told of another conflict', 'PUT', status(409, 'Conflict', 'pods'), { code: 'bad-reply' }],
    ['is told of a fault', 'PUT', [500, {}], { code: 'server-error' }],
    [
      'is given another object',
      'GET',
      [200, { kind: 'Pod', metadata: { name: 'kerbridge' } }],
      { code: 'bad-reply' },
    ],
    [
      'is given another name',
      'GET',
      [200, { kind: ID.kind, metadata: { name: 'other' }, webhooks: [] }],
      { code: 'bad-reply' },
    ],
    [
      'is given webhooks that are none',
      'GET',
      [200, { kind: ID.kind, metadata: { name: 'kerbridge' }, webhooks: {} }],
      { code: 'bad-reply' },
    ],
  ])('rejects where it %s', async (_name, at, answer, error) => {
    stored = configuration([{ name: 'a', clientConfig: {} }]);
    answerInstead = (method) => (method === at ? answer : undefined);
    await expect(api.putCaBundle(ID, PEM)).rejects.toMatchObject({ name: 'KubernetesApiError', ...error });
  });
});
