import { describe, expect, it } from '@jest/globals';
import { FakeClock } from '../../test/fakes/fake-clock.ts';
import { KubernetesApiError } from './kubernetes-api-error.ts';
import { createStoredSchemas } from './stored-schemas.ts';

const SERVER = 'https://api.example.com';
const signal = new AbortController().signal;
const JOB = { group: 'kubeflow.org', version: 'v1', resource: 'tfjobs' };

const version = (name: string, openAPIV3Schema: unknown, storage = false) => ({
  name,
  storage,
  schema: { openAPIV3Schema },
});
const definition = (versions: readonly unknown[], spec = {}) => ({ spec: { ...spec, versions } });

function setUp(status: number, body: unknown) {
  const clock = new FakeClock();
  const reply = { status, body };
  const asked: string[] = [];
  const read = createStoredSchemas({
    transport: {
      get: (url) => {
        asked.push(url.slice(SERVER.length));
        return Promise.resolve({
          status: reply.status,
          bytes: Buffer.from(JSON.stringify(reply.body)),
          contentType: 'application/json',
          retryAfter: undefined,
          date: 0,
        });
      },
    },
    server: SERVER,
    clock,
  });
  return { clock, reply, asked, read: (of: Partial<typeof JOB> = {}) => read({ ...JOB, ...of }, { signal }) };
}

describe('createStoredSchemas', () => {
  it('has the schema of the version and of the one in etcd, without its texts', async () => {
    const { asked, read } = setUp(
      200,
      definition([
        version('v1', {
          type: 'object',
          description: 'long',
          properties: {
            spec: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
            list: { type: 'array', items: { type: 'object', 'x-kubernetes-embedded-resource': true } },
            texts: { type: 'object', additionalProperties: { type: 'string' } },
            any: { type: 'object', additionalProperties: true },
            none: { type: 'object', additionalProperties: false },
          },
        }),
        version('v2', { type: 'object' }, true),
        version('v3', { type: 'object', 'x-kubernetes-preserve-unknown-fields': true }),
      ]),
    );
    expect(await read()).toEqual([
      {
        properties: new Map<string, object>([
          ['spec', { keepsUnknown: true }],
          ['list', { items: { isObject: true } }],
          ['texts', { additionalProperties: {} }],
          ['any', { additionalProperties: true }],
          ['none', {}],
        ]),
      },
      {},
    ]);
    expect(asked).toEqual(['/apis/apiextensions.k8s.io/v1/customresourcedefinitions/tfjobs.kubeflow.org']);
  });

  it('takes what keeps unknown fields altogether, and what goes too deep, for kept', async () => {
    const keeping = setUp(200, definition([version('v1', {}, true)], { preserveUnknownFields: true }));
    expect(await keeping.read()).toEqual([{ keepsUnknown: true }]);
    let deep: object = { type: 'object' };
    for (let n = 0; n < 200; n += 1) deep = { items: deep };
    expect(JSON.stringify(await setUp(200, definition([version('v1', deep)])).read())).toContain(
      '{"keepsUnknown":true}',
    );
  });

  it('asks again after five minutes only', async () => {
    const { clock, asked, read } = setUp(200, definition([version('v1', {})]));
    await read();
    await clock.advance(300_000);
    await read({ version: 'v9' });
    expect(asked).toHaveLength(1);
    await clock.advance(1);
    await read();
    expect(asked).toHaveLength(2);
  });

  it('has none where there is no such definition, and asks for none that there can’t be', async () => {
    const { asked, read } = setUp(404, {});
    expect([await read(), await read(), await read({ group: 'apps' })]).toEqual([[], [], []]);
    expect(asked).toHaveLength(1);
  });

  it.each([
    [403, {}],
    [500, {}],
    [200, { kind: 'Status' }],
    [200, { spec: { versions: 'none' } }],
  ])('rejects for %i %j, and asks again', async (status, body) => {
    const { asked, read } = setUp(status, body);
    await expect(read()).rejects.toThrow(KubernetesApiError);
    await expect(read()).rejects.toThrow(KubernetesApiError);
    expect(asked).toHaveLength(2);
  });
});
