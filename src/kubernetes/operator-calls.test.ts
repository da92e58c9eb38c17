import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type KubernetesApi, loadKubernetesApi } from './kubernetes-api.ts';

const ID = { namespace: 'kerbridge', name: 'revocations' };
const USER = { username: 'ops', uid: 'u-1', groups: ['admins'], extra: { scope: ['a', 'b'] } };
const ACCESS = { group: 'kerbridge.dev', resource: 'tokens', verb: 'list' };
const PATH = '/api/v1/namespaces/kerbridge/configmaps';

interface Seen {
  readonly line: string;
  readonly contentType: string | undefined;
  readonly body: unknown;
}

let folder: string;
let server: http.Server;
let api: KubernetesApi;
let seen: Seen[];
let answer: { status: number; body: unknown };
let dateHeader: string | undefined;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kerbridge-kube-'));
  seen = [];
  dateHeader = undefined;
  server = http.createServer((request, response) => {
    let text = '';
    request.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    request.on('end', () => {
      seen.push({
        line: `${request.method} ${request.url}`,
        contentType: request.headers['content-type'],
        body: text === '' ? undefined : (JSON.parse(text) as unknown),
      });
      response.sendDate = false;
      if (dateHeader !== undefined) response.setHeader('Date', dateHeader);
      response.writeHead(answer.status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(answer.body));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const kubeconfig = join(folder, 'kubeconfig');
  await writeFile(
    kubeconfig,
    JSON.stringify({
      clusters: [{ name: 'c', cluster: { server: url, 'insecure-skip-tls-verify': true } }],
      users: [{ name: 'u', user: { token: 'our-own-token' } }],
      contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
      'current-context': 'x',
    }),
  );
  api = loadKubernetesApi({ kubeconfig });
});

afterEach(async () => {
  api.close();
  server.closeAllConnections();
  server.close();
  await rm(folder, { recursive: true, force: true });
});

const configMap = (change: object = {}) => ({
  kind: 'ConfigMap',
  metadata: { ...ID, resourceVersion: '7' },
  data: { a: 'b' },
  ...change,
});
const METADATA = { ...ID, resourceVersion: '7' };
/** An entry of managedFields. */
const owner = (time: string | undefined, fields: object = { 'f:data': { '.': {}, 'f:a': {} } }) => ({
  manager: 'kerbridge',
  operation: 'Update',
  fieldsType: 'FieldsV1',
  fieldsV1: fields,
  ...(time === undefined ? {} : { time }),
});
const statusOf = (reason: string, details: object = { kind: 'configmaps', name: ID.name }) => ({
  kind: 'Status',
  reason,
  details,
  message: 'quoted',
});
const review = (status: object) => ({ kind: 'SubjectAccessReview', status });

const get = () => api.getConfigMap(ID);
const create = () => api.createConfigMap(ID, { a: 'b' });
const patch = () => api.patchConfigMap(ID, { resourceVersion: '7', data: { a: 'b' } });
const reviewAccess = () => api.reviewAccess(USER, ACCESS);
const requestToken = () =>
  api.requestServiceAccountToken(ID, { audience: 'kerbridge-admin', lifetimeMs: 600_000 });
const whoAmI = () => api.whoAmI();

describe('what is no answer', () => {
  it.each<[string, () => Promise<unknown>, unknown]>([
    ['a ConfigMap of another name', get, configMap({ metadata: { ...ID, name: 'x', resourceVersion: '7' } })],
    [
      'a ConfigMap of another namespace',
      get,
      configMap({ metadata: { ...ID, namespace: 'x', resourceVersion: '7' } }),
    ],
    ['a ConfigMap without a version', get, configMap({ metadata: ID })],
    ['a ConfigMap with malformed data', get, configMap({ data: { a: 1 } })],
    [
      'a ConfigMap written at no time',
      get,
      configMap({ metadata: { ...METADATA, managedFields: [owner('soon')] } }),
    ],
    ['no object', get, []],
    ['a review without a status', reviewAccess, { kind: 'SubjectAccessReview' }],
    ['a review that decides nothing', reviewAccess, review({})],
    ['a review with a text for a decision', reviewAccess, review({ allowed: 'true' })],
    ['a review that says yes and no', reviewAccess, review({ allowed: true, denied: true })],
    [
      'a review that could not be decided',
      reviewAccess,
      review({ allowed: false, evaluationError: 'webhook down' }),
    ],
    ['a TokenRequest without a token', requestToken, { kind: 'TokenRequest', status: {} }],
    ['a SelfSubjectReview of nobody', whoAmI, { kind: 'SelfSubjectReview', status: { userInfo: {} } }],
  ])('%s', async (_name, call, body) => {
    answer = { status: 200, body };
    await expect(call()).rejects.toMatchObject({ name: 'KubernetesApiError', code: 'bad-reply' });
  });

  it.each<[string, () => Promise<unknown>, number, unknown]>([
    ['a 404 for the namespace', create, 404, statusOf('NotFound', { kind: 'namespaces', name: 'kerbridge' })],
    ['a 404 from somebody else', get, 404, 'not here'],
    ['a 404 for another name', get, 404, statusOf('NotFound', { kind: 'configmaps', name: 'x' })],
    ['a conflict for a creation', create, 409, statusOf('Conflict')],
    ['a 409 from somebody else', patch, 409, {}],
    ['an immutable ConfigMap', patch, 422, statusOf('Invalid')],
  ])('%s is not taken for "nothing there" or "changed"', async (_name, call, status, body) => {
    answer = { status, body };
    await expect(call()).rejects.toMatchObject({ code: 'bad-reply', httpStatus: status });
  });
});

describe("the API server's time", () => {
  it.each([
    ['never', undefined],
    ['in words that are no date', 'soon'],
  ])('is none, and not ours, when it says it %s', async (_name, date) => {
    answer = { status: 200, body: configMap() };
    expect(() => api.serverTime()).toThrow(expect.objectContaining({ code: 'bad-reply' }));
    dateHeader = 'Thu, 01 Jan 2026 08:00:00 GMT';
    await get();
    dateHeader = date;
    await get();
    expect(() => api.serverTime()).toThrow(expect.objectContaining({ code: 'bad-reply' }));
  });

  it.each([
    [200, configMap()],
    [404, statusOf('NotFound')],
  ])('is the Date of its last reply, also of a %d', async (status, body) => {
    answer = { status, body };
    for (const hour of ['08', '07']) {
      dateHeader = `Thu, 01 Jan 2026 ${hour}:00:00 GMT`;
      await get();
      expect(api.serverTime()).toBe(Date.parse(`2026-01-01T${hour}:00:00Z`));
    }
  });
});

describe('a right that is missing', () => {
  it.each<[() => Promise<unknown>, string]>([
    [get, '`get` on `configmaps` (name `revocations`) in namespace `kerbridge`'],
    [create, '`create` on `configmaps` in namespace `kerbridge`'],
    [patch, '`patch` on `configmaps` (name `revocations`) in namespace `kerbridge`'],
    [reviewAccess, '`create` on `subjectaccessreviews` of `authorization.k8s.io`'],
    [requestToken, '`create` on `serviceaccounts/token` (name `revocations`) in namespace `kerbridge`'],
    [whoAmI, '`create` on `selfsubjectreviews` of `authentication.k8s.io`'],
  ])('is named: %s %s', async (call, rule) => {
    answer = { status: 403, body: statusOf('Forbidden') };
    await expect(call()).rejects.toMatchObject({
      code: 'forbidden',
      fix: expect.stringContaining(rule),
    });
  });
});

describe('ConfigMaps', () => {
  it('are undefined when the API server says that there is none', async () => {
    answer = { status: 404, body: statusOf('NotFound') };
    expect(await get()).toBeUndefined();
    expect(seen).toEqual([{ line: `GET ${PATH}/revocations`, contentType: undefined, body: undefined }]);
  });

  it('are read with their version', async () => {
    answer = { status: 200, body: configMap({ binaryData: { c: 'ZA==' } }) };
    expect(await get()).toEqual({ resourceVersion: '7', data: { a: 'b' }, dataWrittenAt: undefined });
    answer = { status: 200, body: configMap({ data: undefined }) };
    expect(await get()).toEqual({ resourceVersion: '7', data: {}, dataWrittenAt: undefined });
  });

  it.each<[string, object[] | undefined, string | undefined]>([
    ['nobody owns anything', undefined, undefined],
    ['nobody owns data', [owner('2026-01-01T08:00:00Z', { 'f:metadata': {} })], undefined],
    ['an owner has no time', [owner('2026-01-01T08:00:00Z'), owner(undefined)], undefined],
    ['fields are no fields', [owner('2026-01-01T08:00:00Z', ['f:data'])], undefined],
    ['one owns it', [owner('2026-01-01T08:00:00Z')], '2026-01-01T08:00:00Z'],
    [
      'several have written it',
      [
        owner('2026-01-01T08:00:00Z'),
        owner('2026-01-01T09:00:00Z'),
        owner('2026-01-01T07:00:00Z'),
        owner('2026-01-01T10:00:00Z', { 'f:metadata': {} }),
      ],
      '2026-01-01T09:00:00Z',
    ],
  ])('are read with when their data was written last: %s', async (_name, managedFields, time) => {
    answer = { status: 200, body: configMap({ metadata: { ...METADATA, managedFields } }) };
    const { dataWrittenAt } = (await get()) ?? {};
    expect(dataWrittenAt).toBe(time === undefined ? undefined : Date.parse(time));
  });

  it.each([
    [201, configMap(), true],
    [409, statusOf('AlreadyExists'), false],
  ])('are created, or are there: %d', async (status, body, created) => {
    answer = { status, body };
    expect(await create()).toBe(created);
    expect(seen).toMatchObject([
      {
        line: `POST ${PATH}`,
        body: { kind: 'ConfigMap', metadata: { name: 'revocations' }, data: { a: 'b' } },
      },
    ]);
  });

  it.each([
    [200, configMap(), true],
    [409, statusOf('Conflict'), false],
    [404, statusOf('NotFound'), false],
  ])('are patched only as they were read: %d', async (status, body, patched) => {
    answer = { status, body };
    expect(await patch()).toBe(patched);
    expect(seen).toEqual([
      {
        line: `PATCH ${PATH}/revocations`,
        contentType: 'application/merge-patch+json',
        body: { metadata: { resourceVersion: '7' }, data: { a: 'b' } },
      },
    ]);
  });
});

describe('SubjectAccessReview', () => {
  it.each([
    [{ allowed: false }, { allowed: false, reason: '' }],
    [
      { allowed: false, denied: true, reason: 'x'.repeat(400) },
      { allowed: false, reason: 'x'.repeat(300) },
    ],
    [{ allowed: true }, { allowed: true }],
    [{ allowed: true, evaluationError: 'a role that is not there' }, { allowed: true }],
  ])('%j', async (status, expected) => {
    answer = { status: 201, body: review(status) };
    expect(await reviewAccess()).toEqual(expected);
    expect(seen).toMatchObject([
      {
        line: 'POST /apis/authorization.k8s.io/v1/subjectaccessreviews',
        body: {
          spec: {
            user: 'ops',
            uid: 'u-1',
            groups: ['admins'],
            extra: { scope: ['a', 'b'] },
            resourceAttributes: ACCESS,
          },
        },
      },
    ]);
  });
});

describe('our own', () => {
  it('name is asked for', async () => {
    answer = { status: 201, body: { status: { userInfo: { username: 'ops' } } } };
    expect(await whoAmI()).toBe('ops');
  });

  it('service-account token is wrapped', async () => {
    answer = { status: 201, body: { status: { token: 'a.hunter2.c' } } };
    const serviceAccountToken = await requestToken();
    expect(inspect(serviceAccountToken)).not.toContain('hunter2');
    expect(serviceAccountToken.reveal()).toBe('a.hunter2.c');
    expect(seen).toMatchObject([
      {
        line: 'POST /api/v1/namespaces/kerbridge/serviceaccounts/revocations/token',
        body: { spec: { audiences: ['kerbridge-admin'], expirationSeconds: 600 } },
      },
    ]);
  });
});
