import type { Reply, Requester, Write } from '../api-caller.ts';
import type { Attempt, PolicyTable } from './attempt.ts';
import { OPT_IN, TENANT, unique } from './forgery-world.ts';
import { until } from '../until.ts';
import type { ForgeryWorld } from './forgery-world.ts';

interface Edit {
  readonly title: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly subresource?: string;
  readonly write: (name: string) => Write;
  readonly as?: Requester;
}

const NAMED_ADMIN: Requester = { user: 'root', groups: ['system:masters'] };

const edit = ({ title, labels, subresource, write, as = TENANT }: Edit): Attempt => ({
  title,
  run: async (world: ForgeryWorld): Promise<Reply> => {
    const name = `team-${unique()}`;
    const path = `/api/v1/namespaces/${name}`;
    // By apply, so that an apply may leave the label out.
    const metadata = { name, labels: labels ?? { [OPT_IN]: 'enabled', team: 'a' } };
    await world.api.must(path, {
      method: 'PATCH',
      kind: 'apply',
      body: { apiVersion: 'v1', kind: 'Namespace', metadata },
    });
    const target = subresource === undefined ? path : `${path}/${subresource}`;
    return await world.api.call(target, write(name), as);
  },
});

const merge =
  (labels: Readonly<Record<string, string | null>>): Edit['write'] =>
  () => ({ method: 'PATCH', kind: 'merge', body: { metadata: { labels } } });
const put =
  (labels: Readonly<Record<string, string>>): Edit['write'] =>
  (name) => ({ method: 'PUT', body: { metadata: { name, labels }, spec: { finalizers: ['kubernetes'] } } });
const without = merge({ [OPT_IN]: null });

export const optInLabel: PolicyTable = {
  policy: 'kerbridge-opt-in-label',
  advice: 'the policy kerbridge-opt-in-label names who may remove it',
  refused: [
    edit({ title: 'removed by merge', write: without }),
    edit({
      title: 'removed by JSON',
      write: () => ({
        method: 'PATCH',
        kind: 'JSON',
        body: [{ op: 'remove', path: `/metadata/labels/${OPT_IN}` }],
      }),
    }),
    edit({
      title: 'removed by strategic',
      write: () => ({
        method: 'PATCH',
        kind: 'strategic',
        body: { metadata: { labels: { [OPT_IN]: null } } },
      }),
    }),
    edit({
      title: 'removed by apply',
      write: (name) => ({
        method: 'PATCH',
        kind: 'apply',
        body: { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels: { team: 'a' } } },
      }),
    }),
    edit({ title: 'removed by PUT', write: put({ team: 'a' }) }),
    edit({ title: 'all labels removed', write: put({}) }),
    edit({ title: 'disabled', write: merge({ [OPT_IN]: 'disabled' }) }),
    edit({ title: 'emptied', write: merge({ [OPT_IN]: '' }) }),
    edit({ title: 'in other letters', write: merge({ [OPT_IN]: 'Enabled' }) }),
    edit({ title: 'removed through namespaces/status by merge', subresource: 'status', write: without }),
    edit({
      title: 'removed through namespaces/status by PUT',
      subresource: 'status',
      write: put({ team: 'a' }),
    }),
    edit({
      title: 'removed through namespaces/finalize',
      subresource: 'finalize',
      write: put({ team: 'a' }),
    }),
    edit({
      title: 'removed by a service account with all rights',
      write: without,
      as: { user: 'system:serviceaccount:team:trainer', groups: ['tenants', 'system:serviceaccounts'] },
    }),
  ],
  forged: ({ metadata }) => metadata?.labels?.[OPT_IN] !== 'enabled',
  allowed: [
    edit({ title: 'removed by a named administrator', write: without, as: NAMED_ADMIN }),
    edit({ title: 'added', labels: {}, write: merge({ [OPT_IN]: 'enabled' }) }),
    edit({ title: 'another value removed', labels: { [OPT_IN]: 'disabled' }, write: without }),
    edit({ title: 'other labels changed', write: merge({ team: null, more: 'x' }) }),
    edit({
      title: 'written as it is through finalize',
      subresource: 'finalize',
      write: put({ [OPT_IN]: 'enabled' }),
    }),
    {
      title: 'the namespace deleted, to its end by the namespace controller',
      run: async (world) => {
        const name = `team-${unique()}`;
        const labels = { [OPT_IN]: 'enabled' };
        await world.api.must('/api/v1/namespaces', { method: 'POST', body: { metadata: { name, labels } } });
        const reply = await world.api.call(`/api/v1/namespaces/${name}`, { method: 'DELETE' }, TENANT);
        await until(`the end of namespace ${name}`, async () => {
          const left = await world.api.call(`/api/v1/namespaces/${name}`, { method: 'GET' });
          return left.status === 404;
        });
        return reply;
      },
    },
  ],
};
