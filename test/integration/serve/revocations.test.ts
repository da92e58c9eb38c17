import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { TestNamespace, TestPod } from '../kubernetes-objects.ts';
import { kerbridge } from '../operators/kerbridge-process.ts';
import { waitFor } from '../serve-process.ts';
import { notAllowed, RefusalWorld } from './refusal-world.ts';
import { askCredentials } from './serve-world.ts';
import type { Answer } from './serve-world.ts';

const CONFIG_MAP = 'kerbridge-revocations';
/** The requirement, from the end of the command. */
const EFFECTIVE_WITHIN_MS = 5_000;

interface Known {
  readonly pod: TestPod;
  readonly serviceAccountToken: string;
}

describe('what kerbridge revoke does to a serve that runs', () => {
  let refusals: RefusalWorld;
  let namespace: TestNamespace;
  let alice: Known;
  let bob: Known;

  beforeAll(async () => {
    refusals = await RefusalWorld.create();
    // Both have had their tokens, which are in the cache of serve.
    ({ namespace } = refusals.world);
    [alice, bob] = [await servedPod('alice'), await servedPod('bob')];
  });

  afterEach(async () => {
    await namespace.writeConfigMap(CONFIG_MAP, {});
    await untilStatus(alice, 200);
  });

  afterAll(async () => {
    await refusals[Symbol.asyncDispose]();
  });

  async function servedPod(user: string, inNamespace = namespace, name?: string): Promise<Known> {
    const known = await refusals.world.pod(
      { user, ...(name === undefined ? {} : { name }) },
      { namespace: inNamespace },
    );
    await refusals.expectAllowed(known.serviceAccountToken);
    return known;
  }

  const ask = ({ serviceAccountToken }: Known): Promise<Answer> =>
    askCredentials(refusals.serve, serviceAccountToken);

  const revoke = async (...args: readonly string[]): Promise<void> => {
    const { admin } = refusals.world.stack.kubernetes.kubeconfig;
    const where = ['--kubeconfig', admin, '--namespace', namespace.name];
    expect(await kerbridge('revoke', ...where, ...args)).toMatchObject({ exitCode: 0 });
  };

  /** Asks until that is the answer; rejects when it is later than the requirement allows. */
  const untilStatus = (known: Known, status: number): Promise<void> =>
    waitFor(async () => (await ask(known)).status === status, EFFECTIVE_WITHIN_MS);

  const measure = async (known: Known, status: number, what: string): Promise<void> => {
    const startedAt = performance.now();
    await untilStatus(known, status);
    process.stdout.write(`${what}: in force after ${(performance.now() - startedAt).toFixed(0)} ms\n`);
  };

  it('a user: refused within 5 s, though the token is at hand, and served again when it is taken back', async () => {
    const elsewhere = await servedPod('alice', await refusals.world.anotherNamespace());
    const asked = refusals.tokensAsked;
    await revoke('--user', 'Alice', '--reason', 'lost laptop');
    await measure(alice, 403, 'user revoked');
    const refusal = { detail: /^alice$/ };
    // Not the first of them: it may have two lines, when it was revoked while the one that allowed it was written.
    await refusals.expectRefused(
      () => ask(alice),
      notAllowed('user-revoked', { ...refusal, pod: alice.pod }),
    );
    // In every namespace, also for a pod that is new; and nobody else.
    await refusals.expectRefused(() => ask(elsewhere), notAllowed('user-revoked', { pod: elsewhere.pod }));
    const fresh = await refusals.world.pod({ user: 'alice' });
    await refusals.expectRefused(() => ask(fresh), notAllowed('user-revoked', { pod: fresh.pod }));
    expect((await ask(bob)).status).toBe(200);
    expect(refusals.tokensAsked).toBe(asked);

    await revoke('--user', 'alice', '--undo');
    await measure(alice, 200, 'user taken back');
  });

  it('a pod: refused within 5 s, no other of the same user, and not the next of its name', async () => {
    const sibling = await servedPod('alice');
    const revoked = await servedPod('alice');
    await revoke('--pod', `${namespace.name}/${revoked.pod.name}`);
    await measure(revoked, 403, 'pod revoked');
    await refusals.expectRefused(
      () => ask(revoked),
      notAllowed('pod-revoked', { pod: revoked.pod, detail: new RegExp(revoked.pod.uid) }),
    );
    for (const other of [sibling, alice, bob]) expect((await ask(other)).status).toBe(200);

    await revoke('--pod', `${namespace.name}/${revoked.pod.name}`, '--undo');
    await measure(revoked, 200, 'pod taken back');

    await revoke('--pod', `${namespace.name}/${revoked.pod.name}`);
    await untilStatus(revoked, 403);
    await namespace.deletePod(revoked.pod, 0);
    await servedPod('alice', namespace, revoked.pod.name);
  });

  it('a list that nobody understands leaves in force what it said before', async () => {
    await revoke('--user', 'alice');
    await untilStatus(alice, 403);
    for (const text of ['revocations: [', 'version: 1\nrevocations: [{user: "*"}]\n']) {
      const warnings = () =>
        refusals.serve
          .logLines()
          .filter(({ message }) => message === 'Revocations cannot be understood; the last good ones count');
      const before = warnings().length;
      await namespace.writeConfigMap(CONFIG_MAP, { 'revocations.yaml': text });
      await waitFor(() => warnings().length > before);
      expect(warnings().at(-1)).toMatchObject({
        level: 'warn',
        configMap: `${namespace.name}/${CONFIG_MAP}`,
      });
      await refusals.expectRefused(() => ask(alice), notAllowed('user-revoked', { pod: alice.pod }));
      expect((await ask(bob)).status).toBe(200);
    }
  });

  it('nobody who was revoked got anything, and the way was open', async () => {
    await refusals.expectOpenWay();
  });
});
