import { describe, expect, it } from '@jest/globals';
import { FakeClock } from '../../test/fakes/fake-clock.ts';
import { KubernetesApiError } from './kubernetes-api-error.ts';
import { createOptedInNamespaces } from './opted-in-namespaces.ts';

const SERVER = 'https://api.example.com';
const signal = new AbortController().signal;
const namespace = (labels?: object, name = 'team', uid: unknown = 'uid-1') => ({
  kind: 'Namespace',
  metadata: { name, uid, labels },
});

function setUp(status: number, body: unknown) {
  const clock = new FakeClock();
  const reply = { status, body };
  const asked: string[] = [];
  const optedIn = createOptedInNamespaces({
    transport: {
      get: (url) => {
        asked.push(url.slice(SERVER.length));
        const bytes = Buffer.from(typeof reply.body === 'string' ? reply.body : JSON.stringify(reply.body));
        return Promise.resolve({
          status: reply.status,
          bytes,
          contentType: 'application/json',
          retryAfter: undefined,
          date: 0,
        });
      },
    },
    server: SERVER,
    label: 'iddecorator',
    value: 'enabled',
    clock,
  });
  return { clock, reply, asked, ask: (name = 'team') => optedIn(name, signal) };
}

describe('createOptedInNamespaces', () => {
  it('believes a yes for five seconds', async () => {
    const { clock, reply, asked, ask } = setUp(200, namespace({ iddecorator: 'enabled' }));
    expect(await ask()).toBe('uid-1');
    reply.body = namespace({});
    await clock.advance(4_999);
    expect(await ask()).toBe('uid-1');
    expect(asked).toEqual(['/api/v1/namespaces/team']);
    await clock.advance(1);
    expect(await ask()).toBeUndefined();
  });

  it.each([
    ['another value', 200, namespace({ iddecorator: 'disabled' })],
    ['no such label', 200, namespace({ other: 'enabled' })],
    ['no labels', 200, namespace()],
    ['an inherited name', 200, namespace({ __proto__: { iddecorator: 'enabled' } })],
    [
      'no namespace',
      404,
      { kind: 'Status', reason: 'NotFound', details: { kind: 'namespaces', name: 'team' } },
    ],
  ])('says no for %s, and asks again each time', async (_, status, body) => {
    const { reply, ask } = setUp(status, body);
    expect(await ask()).toBeUndefined();
    Object.assign(reply, { status: 200, body: namespace({ iddecorator: 'enabled' }) });
    expect(await ask()).toBe('uid-1');
  });

  it.each([
    ['403', 403, {}],
    ['a 404 about something else', 404, {}],
    ['no JSON', 200, '<html>'],
    ['another namespace', 200, namespace({ iddecorator: 'enabled' }, 'other')],
    ['no UID', 200, namespace({ iddecorator: 'enabled' }, 'team', null)],
    ['an empty UID', 200, namespace({ iddecorator: 'enabled' }, 'team', '')],
  ])('rejects what it was not told: %s', async (_, status, body) => {
    await expect(setUp(status, body).ask()).rejects.toThrow(KubernetesApiError);
  });

  it('keeps a name within its place of the path', async () => {
    const { asked, ask } = setUp(404, {});
    await expect(ask('../secrets')).rejects.toThrow(KubernetesApiError);
    expect(asked).toEqual(['/api/v1/namespaces/..%2Fsecrets']);
  });
});
