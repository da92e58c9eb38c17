import { describe, expect, it } from '@jest/globals';
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { kubernetesControl, pauseHdfs } from '../../stack/stack.ts';
import { KubernetesWire } from '../kubernetes-proxy.ts';
import { askCredentials } from '../serve/serve-world.ts';
import { waitFor } from '../serve-process.ts';
import { CANCELLED_AFTER_MS, metricOf, SpedUpWorld } from './sped-up-world.ts';
import { type LoadAnswer, type LoadPod, SteadyLoad } from './steady-load.ts';
import { TokenWatch } from './token-watch.ts';

/** `npm run soak` makes each fault last a minute. */
const IS_SOAK = process.env['KERBRIDGE_SOAK_SECONDS'] !== undefined;
const FAULT_MS = IS_SOAK ? 60_000 : 20_000;
/** Half of it is left when a renewal becomes due, and must outlast a fault and what comes after it. */
const RENEW_INTERVAL_MS = 5 * FAULT_MS;
/** The next token is due in each fault. */
const MAX_LIFETIME_MS = 7 * FAULT_MS * 1.2;
const RECOVERY_MS = 40_000;
/** So that cookies and tickets end in a fault. */
const TICKET_LIFE_S = 6;
const COOKIE_LIFE_S = 3;

const USERS = ['user160', 'user161', 'user162'];

type Fault = 'NameNode' | 'KDC' | 'API server';

describe(`faults of ${FAULT_MS / 1000} s under a steady load`, () => {
  it(
    'serve what can be proven, 503 the rest, cancel nothing, let nothing lapse, and are over without a restart',
    async () => {
      await using world = await SpedUpWorld.create({
        renewIntervalMs: RENEW_INTERVAL_MS,
        maxLifetimeMs: MAX_LIFETIME_MS,
        // Who waits 5 s for the next token gets the old one, if the store is known well enough then.
        tokens: { proofOfLife: '3s', stalenessBound: '15s' },
      });
      const { serveWorld, stack } = world;
      // It restarts the NameNode.
      await world.control.setCookieLifetime(0, COOKIE_LIFE_S);
      await world.speedUp();
      await using kdc = await KubernetesWire.before(`https://127.0.0.1:${stack.kdc.port}`);
      const krb5Conf = (await readFile(stack.krb5Conf, 'utf8'))
        .replace(/^\s*kdc = .*$/m, () => `kdc = 127.0.0.1:${new URL(kdc.server).port}`)
        .replace(/^\s*ticket_lifetime = .*$/m, () => `ticket_lifetime = ${TICKET_LIFE_S}s`);
      const serve = await world.serve(
        {},
        {
          cluster: { krb5Conf: await world.file('krb5.conf', krb5Conf) },
          limits: { hadoopCallTimeout: '3s', kerberosStepTimeout: '2s' },
        },
      );
      await using apiServer = kubernetesControl(stack);

      const namespaces = [serveWorld.namespace, await serveWorld.anotherNamespace()];
      const pods: LoadPod[] = [];
      for (const namespace of namespaces) {
        for (const user of USERS)
          pods.push({ namespace, pod: (await serveWorld.pod({ user }, { namespace })).pod });
      }
      const newcomers: string[] = [];
      for (const user of ['user163', 'user164', 'user165', 'user166'])
        newcomers.push((await serveWorld.pod({ user })).serviceAccountToken);
      const phases: readonly (readonly Fault[])[] = [
        ['NameNode'],
        ['KDC'],
        ['API server'],
        ...(IS_SOAK ? [['NameNode', 'KDC', 'API server'] as const] : []),
      ];
      const forMs = 30_000 + phases.length * (FAULT_MS + RECOVERY_MS + 60_000);
      await using load = await SteadyLoad.start(serve, pods, { forMs });
      await using watch = new TokenWatch({
        list: async () => (await Promise.all(USERS.map((user) => world.known(user)))).flat(),
        held: () => load.handedOut,
      });

      /** Every pod is served again. */
      const served = async (): Promise<void> => {
        const since = Date.now();
        const isServed = (uid: string): boolean =>
          load.since(since).some(({ pod, status }) => pod === uid && status === 200);
        await waitFor(() => pods.every(({ pod }) => isServed(pod.uid)), RECOVERY_MS);
      };
      await served();

      async function suffer(faults: readonly Fault[], newcomer: string) {
        const renewals = () =>
          metricOf(serve, 'kerbridge_delegation_token_renewals_total', { outcome: 'failed' });
        await using ends = new AsyncDisposableStack();
        if (faults.includes('NameNode')) {
          ends.defer(await watch.pause());
          ends.use(await pauseHdfs(stack, 'hdfs'));
        }
        if (faults.includes('KDC')) {
          kdc.pause();
          ends.defer(() => kdc.resume());
        }
        if (faults.includes('API server')) {
          await apiServer.kill();
          ends.defer(() => apiServer.start());
        }
        const begun = Date.now();
        const asked = (async () => {
          // Cookies and tickets that were had before have ended by then.
          if (faults.includes('KDC')) await delay((TICKET_LIFE_S + COOKIE_LIFE_S) * 1_000);
          return await askCredentials(serve, newcomer);
        })();
        await delay(FAULT_MS);
        const during = load.since(begun);
        const ended = Date.now();
        await ends.disposeAsync();
        await served();
        const { status, json, headers } = await asked;
        const recoveredMs = Date.now() - ended;
        process.stderr.write(
          `without ${faults.join(', ')}: ${summary(during)}; a newcomer ${status} ${String(json['code'])}; ` +
            `all served again after ${recoveredMs} ms; ${await renewals()} renewals failed so far\n`,
        );
        return { during, newcomer: { status, code: json['code'], retryAfter: headers.get('retry-after') } };
      }
      const turnedAway = (code: RegExp) => ({
        status: 503,
        code: expect.stringMatching(code) as unknown,
        retryAfter: expect.stringMatching(/^\d+$/) as unknown,
      });

      for (const [index, faults] of phases.entries()) {
        // Each fault finds it well. Who is served may have had the record read for them alone, while nobody watches the store yet.
        await waitFor(
          async () => (await metricOf(serve, 'kerbridge_token_store_age_seconds', {})) < 5,
          RECOVERY_MS,
        );
        const suffered = await suffer(faults, newcomers[index] ?? '');
        const statuses = new Set(suffered.during.map(({ status }) => status));
        if (faults.includes('API server')) {
          // Who was reviewed a moment ago is served, then nobody.
          expect(statuses).toEqual(new Set([200, 503]));
          expect(suffered.newcomer).toEqual(turnedAway(/^authentication-unavailable$/));
        } else {
          expect(statuses).toEqual(new Set([200]));
          // Without a KDC a call may wait for its turn until its time is up: then it is Hadoop that was not reached.
          const code = faults.includes('KDC') ? /^(kerberos|hadoop)-unavailable$/ : /^hadoop-unavailable$/;
          expect(suffered.newcomer).toEqual(turnedAway(code));
        }
      }

      process.stderr.write(
        `${load.answers.length} answers: ${summary(load.answers)}; ${load.handedOut.size} tokens; ${watch.looks} looks at the NameNode's list\n`,
      );
      for (const { status, code, retryAfter } of load.answers) {
        if (status === 200) continue;
        expect({ status, code, retryAfter }).toEqual({
          status: 503,
          code: expect.stringMatching(/^(authentication|token-store|identity)-unavailable$/) as unknown,
          retryAfter: expect.any(Number) as unknown,
        });
        expect(retryAfter).toBeGreaterThan(0);
      }
      expect(watch.looks).toBeGreaterThan(FAULT_MS / 1000);
      expect([...watch.lapsed]).toEqual([]);
      expect([...watch.cancelled]).toEqual([]);
      // There were several generations for each user and namespace.
      expect(load.handedOut.size).toBeGreaterThan(2 * USERS.length);
      expect(await metricOf(serve, 'kerbridge_delegation_tokens_lost_total')).toBe(0);
      expect(await metricOf(serve, 'kerbridge_delegation_token_cancels_total')).toBe(0);

      // The watch would have seen it.
      await load[Symbol.asyncDispose]();
      for (const { namespace, pod } of pods) await namespace.deletePod(pod, 0);
      await waitFor(() => watch.cancelled.size > 0, CANCELLED_AFTER_MS + 40_000);
    },
    IS_SOAK ? 900_000 : 400_000,
  );
});

function summary(answers: readonly LoadAnswer[]): string {
  const kinds = Map.groupBy(answers, ({ status, code }) => [status, code].filter(Boolean).join(' '));
  const longestMs = Math.max(...answers.map(({ askedAt, answeredAt }) => answeredAt - askedAt));
  return `${[...kinds].map(([kind, { length }]) => `${kind}: ${length}`).join(', ')}, the longest ${longestMs} ms`;
}
