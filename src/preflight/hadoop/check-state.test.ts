import { describe, expect, it } from '@jest/globals';
import { TokenServiceError } from '../../delegation-tokens/token-service.ts';
import type { HadoopHttpReply } from '../../hadoop/http/hadoop-http-client.ts';
import { Secret } from '../../observability/secret.ts';
import { checkState } from './check-state.ts';

const reply = (status: number, body: unknown): HadoopHttpReply => ({
  status,
  statusMessage: '',
  contentType: 'application/json',
  redirectOrigin: undefined,
  wwwAuthenticate: '',
  serverTime: undefined,
  setCookies: new Secret([]),
  body: new Secret(JSON.stringify(body)),
});

const exception = (name: string) =>
  reply(403, { RemoteException: { exception: name, javaClassName: `org.x.${name}`, message: 'so it is' } });

const ACTIVE = reply(200, { FileStatus: {} });
const STANDBY = exception('StandbyException');
const jmx = (state: string) => reply(200, { beans: [{ FSState: state }] });
const UNREACHABLE = new TokenServiceError('unreachable', 'connection reset');

/** What each NameNode says to GETFILESTATUS, and to /jmx. */
const check = (...says: readonly (readonly [HadoopHttpReply | Error, (HadoopHttpReply | Error)?])[]) =>
  checkState(
    {
      cluster: 'main',
      nameservice: 'ns',
      nameNodes: says.map(([status, beans = jmx('Operational')], index) => ({
        target: {
          name: `main/ns/nn${index}`,
          origin: `http://nn${index}`,
          spnHost: 'x',
          addressProperty: 'x',
        },
        session: {
          send: ({ path }) => {
            const said = path === '/jmx' ? beans : status;
            return said instanceof Error ? Promise.reject(said) : Promise.resolve(said);
          },
        },
      })),
    },
    new AbortController().signal,
  );

const short = async (found: ReturnType<typeof check>) =>
  (await found).map(({ id, outcome, detail }) => `${id} ${outcome}: ${detail}`);

describe('checkState', () => {
  it('knows an active one and its standby', async () => {
    expect(await short(check([STANDBY], [ACTIVE]))).toEqual([
      'state:main/ns/nn0 ok: standby',
      'state:main/ns/nn1 ok: active',
      'active:main/ns ok: there is one',
    ]);
  });

  it('takes one that does not let us read / for active', async () => {
    expect(await short(check([exception('AccessControlException')]))).toContain(
      'state:main/ns/nn0 ok: active',
    );
  });

  it('wants an active one', async () => {
    const found = await check([STANDBY], [exception('RetriableException')]);
    expect(found.at(-1)).toMatchObject({
      id: 'active:main/ns',
      outcome: 'failed',
      fix: expect.stringContaining('hdfs haadmin -getAllServiceState'),
    });
  });

  it('knows safe mode', async () => {
    const found = await check([ACTIVE, jmx('safeMode')], [STANDBY]);
    expect(found.map(({ outcome }) => outcome)).toEqual(['failed', 'ok', 'failed']);
    expect(found[0]?.fix).toContain('hdfs dfsadmin -safemode get');
    expect(found[2]?.detail).toBe('the active one is in safe mode');
  });

  it.each([
    ['is forbidden', reply(403, {})],
    ['is none', reply(200, { beans: [] })],
    ['fails', UNREACHABLE],
  ])('leaves safe mode to the token where jmx %s', async (_, beans) => {
    expect(await short(check([ACTIVE, beans]))).toContain('state:main/ns/nn0 ok: active');
  });

  it('warns of one that does not tell', async () => {
    const found = await check([UNREACHABLE], [exception('StrangeException')], [ACTIVE]);
    expect(found.map(({ outcome }) => outcome)).toEqual(['warning', 'warning', 'ok', 'ok']);
    expect(found[0]?.fix).toContain('log of the NameNode');
  });
});
