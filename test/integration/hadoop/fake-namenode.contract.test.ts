import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';

import { classifyHadoopReply } from '../../../src/hadoop/classify-hadoop-reply.ts';
import { createSpnegoProcess } from '../../../src/kerberos/spnego-process.ts';
import type { SpnegoProcess } from '../../../src/kerberos/spnego-process.ts';
import { systemClock } from '../../../src/time/clock.ts';
import { FakeNameNode } from '../../fakes/fake-namenode.ts';
import { makeFakeSpnegoToken } from '../../fakes/fake-spnego-initiator.ts';
import { FakeTokenLedger } from '../../fakes/fake-token-ledger.ts';
import { readErrorTable } from '../../fixtures/hadoop-replies/error-row.ts';
import type { RowRequest } from '../../fixtures/hadoop-replies/error-row.ts';
import { hdfsControl, readStack } from '../../stack/stack.ts';
import { replay } from './replay-error-row.ts';
import type { ReplayTarget } from './replay-error-row.ts';

jest.setTimeout(30_000);

interface StartedTarget extends ReplayTarget, AsyncDisposable {}

const REALM = 'KERBRIDGE.TEST';
const principals: Readonly<Record<RowRequest['as'], string>> = {
  kerbridge: `kerbridge@${REALM}`,
  alice: `alice@${REALM}`,
  bob: `bob@${REALM}`,
  hdfs: `hdfs/localhost@${REALM}`,
};

async function startFake(): Promise<StartedTarget> {
  const options = { clock: systemClock, ledger: new FakeTokenLedger() };
  const active = await FakeNameNode.start(options);
  const standby = await FakeNameNode.start(options);
  standby.role = 'standby';
  return {
    origin: active.origin,
    standbyOrigin: standby.origin,
    negotiate: async (as) => makeFakeSpnegoToken(principals[as], 'localhost'),
    async during(state, work) {
      if (state === 'safe-mode') active.role = 'safe-mode';
      else active.proxyHostListed = false;
      try {
        return await work();
      } finally {
        active.role = 'active';
        active.proxyHostListed = true;
      }
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([active[Symbol.asyncDispose](), standby[Symbol.asyncDispose]()]);
    },
  };
}

async function startReal(): Promise<StartedTarget> {
  const stack = await readStack();
  const cluster = stack.ha ?? stack.hdfs;
  const control = hdfsControl(cluster);
  const { nameNodes } = await control.health();
  const active = nameNodes.findIndex(({ state }) => state === 'active');
  const initiators = new Map<RowRequest['as'], SpnegoProcess>();
  const initiatorOf = async (as: RowRequest['as']): Promise<SpnegoProcess> => {
    const known = initiators.get(as);
    if (known !== undefined) return known;
    const started = await createSpnegoProcess({
      keytab: stack.keytabs[as],
      principal: principals[as],
      krb5Conf: stack.krb5Conf,
    });
    initiators.set(as, started);
    return started;
  };
  return {
    origin: cluster.nameNodes[active]?.httpUrl ?? '',
    standbyOrigin: cluster.nameNodes.find((_, index) => index !== active)?.httpUrl,
    negotiate: async (as) => (await (await initiatorOf(as)).negotiate('localhost')).reveal(),
    async during(state, work) {
      const set = async (on: boolean): Promise<void> => {
        if (state === 'safe-mode') await control.setSafeMode(active, on);
        else await control.refreshProxyUsers({ hosts: on ? '192.0.2.1' : '127.0.0.1,localhost' });
      };
      await set(true);
      try {
        return await work();
      } finally {
        await set(false);
      }
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([...initiators.values()].map((initiator) => initiator.close()));
    },
  };
}

const rows = (await readErrorTable()).flatMap((row) =>
  row.replayable && row.request !== undefined ? [{ ...row, request: row.request }] : [],
);

// One list for both, so that what the unit tests meet in the fake is what a NameNode says.
describe.each([
  ['the fake NameNode', startFake],
  ['a real NameNode', startReal],
])('%s answers as the error table says', (_, start) => {
  let started: StartedTarget | undefined;

  beforeAll(async () => {
    started = await start();
  });

  afterAll(async () => {
    await started?.[Symbol.asyncDispose]();
  });

  it.each(rows)('$id: $situation', async (row) => {
    const target = started;
    if (target === undefined) throw new Error('there is no NameNode to ask');
    if (row.request.state === 'standby' && target.standbyOrigin === undefined) {
      throw new Error('this row needs a stack with two NameNodes: stack up --ha');
    }
    const reply = await replay(row.request, target);
    const contentType = (headers: Readonly<Record<string, string>>) => headers['content-type'] ?? '';
    const refusal = classifyHadoopReply({ ...reply, contentType: contentType(reply.headers) });
    const recorded = classifyHadoopReply({ ...row, contentType: contentType(row.headers) });

    expect(reply.status).toBe(row.status);
    expect({ failure: refusal?.failure ?? null, exception: refusal?.exception ?? null }).toEqual(
      row.expected,
    );
    expect(contentType(reply.headers)).toBe(contentType(row.headers));
    expect(asPattern(refusal?.message ?? '')).toBe(asPattern(recorded?.message ?? ''));
    expect(refusal?.remedy).toBe(recorded?.remedy);
    expect(reply.headers['www-authenticate']?.split(' ')[0] === 'Negotiate' && reply.status === 401).toBe(
      row.headers['www-authenticate'] === 'Negotiate',
    );
  });

  // Jetty writes its error pages in JSON for a client that accepts it, as ours does.
  it.each(rows)('$id, to a client that accepts JSON', async (row) => {
    if (started === undefined) throw new Error('there is no NameNode to ask');
    const reply = await replay(row.request, started, 'application/json');
    const refusal = classifyHadoopReply({ ...reply, contentType: reply.headers['content-type'] ?? '' });
    expect(reply.status).toBe(row.status);
    expect({ failure: refusal?.failure ?? null, exception: refusal?.exception ?? null }).toEqual(
      row.expected,
    );
    expect(reply.body).not.toContain('<html');
  });
});

/** Numbers differ from run to run, and the fake says less about safe mode. */
function asPattern(message: string): string {
  return message.replaceAll(/\d+/gu, '0').replace(/(It was turned on manually\.).*/u, '$1');
}
