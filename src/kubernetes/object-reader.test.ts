import { describe, expect, it } from '@jest/globals';
import { FakeClock } from '../../test/fakes/fake-clock.ts';
import { KubernetesApiError } from './kubernetes-api-error.ts';
import { createObjectReader } from './object-reader.ts';
import type { Reply } from './exchange.ts';

const SERVER = 'https://api.example.com';
const APPS = '/apis/apps/v1';
const DEPLOYMENT = { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'team-a', name: 'web' };
const DEPLOYMENT_PATH = `${APPS}/namespaces/team-a/deployments/web`;
const OBJECT = { kind: 'Deployment', metadata: { name: 'web', namespace: 'team-a', uid: 'u1' } };
const APPS_RESOURCES = {
  resources: [
    { name: 'deployments', kind: 'Deployment', namespaced: true },
    { name: 'deployments/scale', kind: 'Scale', namespaced: true },
    { name: 'things', kind: 'Thing', namespaced: false },
  ],
};
const NOT_FOUND = { kind: 'Status', reason: 'NotFound', details: { kind: 'deployments', name: 'web' } };
const signal = new AbortController().signal;

type Answer = readonly [status: number, body: unknown];

function setUp(answers: Readonly<Record<string, Answer>>) {
  const asked: string[] = [];
  const clock = new FakeClock();
  const current = new Map(Object.entries(answers));
  const transport = {
    get: (url: string): Promise<Reply> => {
      const path = url.slice(SERVER.length);
      asked.push(path);
      const [status, body] = current.get(path) ?? [404, { kind: 'Status', reason: 'NotFound' }];
      const bytes = Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
      return Promise.resolve({
        status,
        bytes,
        contentType: 'application/json',
        retryAfter: undefined,
        date: 0,
      });
    },
  };
  return { read: createObjectReader({ transport, server: SERVER, clock }), asked, clock, current };
}

describe('createObjectReader', () => {
  it('finds the resource of a kind once, then reads each object', async () => {
    const { read, asked } = setUp({ [APPS]: [200, APPS_RESOURCES], [DEPLOYMENT_PATH]: [200, OBJECT] });
    expect(await read(DEPLOYMENT, { signal })).toEqual({
      resource: { group: 'apps', resource: 'deployments' },
      object: OBJECT,
    });
    expect(await read(DEPLOYMENT, { signal })).toEqual({
      resource: { group: 'apps', resource: 'deployments' },
      object: OBJECT,
    });
    expect(asked).toEqual([APPS, DEPLOYMENT_PATH, DEPLOYMENT_PATH]);
  });

  it('reads the core group', async () => {
    const pod = { kind: 'Pod', metadata: { name: 'p', namespace: 'team-a' } };
    const { read } = setUp({
      '/api/v1': [200, { resources: [{ name: 'pods', kind: 'Pod', namespaced: true }] }],
      '/api/v1/namespaces/team-a/pods/p': [200, pod],
    });
    expect(await read({ apiVersion: 'v1', kind: 'Pod', namespace: 'team-a', name: 'p' }, { signal })).toEqual(
      { resource: { group: '', resource: 'pods' }, object: pod },
    );
  });

  it('has none when the API server says that it is not there', async () => {
    const { read } = setUp({ [APPS]: [200, APPS_RESOURCES], [DEPLOYMENT_PATH]: [404, NOT_FOUND] });
    expect(await read(DEPLOYMENT, { signal })).toBeUndefined();
  });

  it.each([
    ['a kind that is a subresource', { kind: 'Scale' }],
    ['a kind without a namespace', { kind: 'Thing' }],
    ['a kind of another group', { kind: 'Job' }],
    ['a group that there is not', { apiVersion: 'nobody.example.com/v1' }],
    ['no group version', { apiVersion: '../../api/v1' }],
    ['an empty group version', { apiVersion: '' }],
    ['three parts', { apiVersion: 'apps/v1/namespaces' }],
  ])('has none of %s', async (_, part) => {
    const { read, asked } = setUp({ [APPS]: [200, APPS_RESOURCES] });
    expect(await read({ ...DEPLOYMENT, ...part }, { signal })).toBeUndefined();
    expect(asked.filter((path) => path.includes('namespaces/'))).toEqual([]);
  });

  it('asks again for a kind that was missing, but not at once', async () => {
    const { read, asked, clock, current } = setUp({ [DEPLOYMENT_PATH]: [200, OBJECT] });
    expect(await read(DEPLOYMENT, { signal })).toBeUndefined();
    current.set(APPS, [200, APPS_RESOURCES]);
    expect(await read(DEPLOYMENT, { signal })).toBeUndefined();
    expect(asked).toEqual([APPS]);
    await clock.advance(5_000);
    expect(await read(DEPLOYMENT, { signal })).toEqual({
      resource: { group: 'apps', resource: 'deployments' },
      object: OBJECT,
    });
  });

  it('keeps names within their place of the path', async () => {
    const { read, asked } = setUp({ [APPS]: [200, APPS_RESOURCES] });
    await expect(read({ ...DEPLOYMENT, name: '../../secrets/s?x#y' }, { signal })).rejects.toThrow(
      KubernetesApiError,
    );
    expect(asked.at(-1)).toBe(`${APPS}/namespaces/team-a/deployments/..%2F..%2Fsecrets%2Fs%3Fx%23y`);
  });

  it.each<readonly [string, Readonly<Record<string, Answer>>]>([
    ['the list of resources', { [APPS]: [403, {}] }],
    ['the list of resources without any', { [APPS]: [200, {}] }],
    ['the list of resources that is no JSON', { [APPS]: [200, '<html>'] }],
    ['the object', { [APPS]: [200, APPS_RESOURCES], [DEPLOYMENT_PATH]: [403, {}] }],
    ['a 404 that is not about it', { [APPS]: [200, APPS_RESOURCES], [DEPLOYMENT_PATH]: [404, {}] }],
    ['a list in its place', { [APPS]: [200, APPS_RESOURCES], [DEPLOYMENT_PATH]: [200, []] }],
    [
      'another object',
      {
        [APPS]: [200, APPS_RESOURCES],
        [DEPLOYMENT_PATH]: [200, { metadata: { name: 'other', namespace: 'team-a' } }],
      },
    ],
  ])('rejects what it could not be told: %s', async (_, answers) => {
    const { read } = setUp(answers);
    await expect(read(DEPLOYMENT, { signal })).rejects.toThrow(KubernetesApiError);
  });
});
