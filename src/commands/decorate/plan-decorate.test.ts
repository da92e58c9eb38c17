import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { FakeClock } from '../../../test/fakes/fake-clock.ts';
import { signingKey } from '../../../test/fixtures/stamps/keys.ts';
import { findTemplates } from '../../admission/templates/find-templates.ts';
import { ConfigError, formatProblem } from '../../config/config-problem.ts';
import { formatPrivateKeys } from '../../identity/stamps/stamp-keys.ts';
import { type DecorateFileChange, describeDecoratePlan, planDecorate } from './plan-decorate.ts';

let folder = '';
const at = (name: string) => join(folder, name);
const tlsFixture = (name: string) =>
  readFile(new URL(`../../../test/fixtures/tls/${name}`, import.meta.url), 'utf8');

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kerbridge-decorate-'));
  await writeFile(at('tls.crt'), await tlsFixture('localhost.crt'));
  await writeFile(at('tls.key'), await tlsFixture('localhost.key'));
  await writeFile(at('other.key'), await tlsFixture('renewed.key'));
  await writeFile(at('keys.json'), formatPrivateKeys({ keys: [signingKey] }).reveal());
  await writeFile(at('empty'), '');
  await writeFile(
    at('kubeconfig'),
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'c',
      clusters: [{ name: 'k', cluster: { server: 'https://api.example:6443' } }],
      users: [{ name: 'u', user: { token: 'hunter2' } }],
      contexts: [{ name: 'c', context: { cluster: 'k', user: 'u' } }],
    }),
  );
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

async function plan(changes: Readonly<Record<string, unknown>> = {}, clock = new FakeClock()) {
  const config = {
    tls: { files: { certFile: at('tls.crt'), keyFile: at('tls.key') } },
    signing: { keysFile: at('keys.json') },
    kubernetes: { kubeconfig: at('kubeconfig') },
    ...changes,
  };
  await writeFile(at('decorate.yaml'), JSON.stringify(config));
  const planned = await planDecorate({ config: at('decorate.yaml') }, clock);
  planned.kubernetes.close();
  return planned;
}

async function stopped(...args: Parameters<typeof plan>) {
  const planned = await plan(...args);
  planned.files.stop();
  return planned;
}

async function problems(...args: Parameters<typeof plan>): Promise<string[]> {
  try {
    await stopped(...args);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map(formatProblem);
  }
}

const place = { annotations: '/spec/job/metadata/annotations', content: '/spec/job/spec' };
const places = (...all: object[]) => ({
  templates: { customResources: [{ resource: 'gangs.example.com', places: all }] },
});
const ownCa = { ownCa: { dnsNames: ['d.k.svc'] } };

describe('planDecorate', () => {
  it.each<[string, () => Record<string, unknown>, RegExp]>([
    [
      'rules that are not there',
      () => ({ identity: { rulesFile: at('gone') } }),
      /^identity\.rulesFile: .*ENOENT/,
    ],
    ['requesters that are none', () => ({ requestersFile: at('empty') }), /^requestersFile: version: write/],
    ['keys that are none', () => ({ signing: { keysFile: at('empty') } }), /^signing\.keysFile: /],
    [
      'the key of another certificate',
      () => ({ tls: { files: { certFile: at('tls.crt'), keyFile: at('other.key') } } }),
      /^tls\.files\.keyFile: is not the key of the first certificate of tls\.files\.certFile/,
    ],
    [
      'a certificate that is not there',
      () => ({ tls: { files: { certFile: at('gone'), keyFile: at('tls.key') } } }),
      /^tls\.files: .*ENOENT/,
    ],
    [
      'an authority of clients that is not there',
      () => ({ tls: { ...ownCa, clients: { caFile: at('gone'), names: ['a'] } } }),
      /^tls\.clients\.caFile: can't be read \(ENOENT\): name a readable file$/,
    ],
    [
      'an authority of clients that is none',
      () => ({ tls: { ...ownCa, clients: { caFile: at('empty'), names: ['a'] } } }),
      /^tls\.clients\.caFile: holds no certificate/,
    ],
    [
      'a kubeconfig that is not there',
      () => ({ kubernetes: { kubeconfig: at('gone') } }),
      /^kubernetes: cannot read the kubeconfig/,
    ],
    [
      'a denied user that would deny nobody',
      () => ({ identity: { denyUsers: ['a', 'b@REALM'] } }),
      /^identity\.denyUsers\[1\]: can match nobody: write the short name/,
    ],
    [
      'paths of Kube2Hadoop that are not there',
      () => ({ templates: { kube2hadoopPathsFile: at('gone') } }),
      /^templates\.kube2hadoopPathsFile: can't be read \(ENOENT\)/,
    ],
    [
      'paths of Kube2Hadoop that are none',
      () => ({ templates: { kube2hadoopPathsFile: at('empty') } }),
      /^templates\.kube2hadoopPathsFile: configs: is required/,
    ],
    [
      'a template whose annotations are elsewhere',
      () => places(place, { ...place, annotations: '/spec/*/metadata/annotations' }),
      /^templates\.customResources\[0\]\.places\[1\]\.content: must be the same as annotations up to the last \*/,
    ],
    [
      'a template that needs what is elsewhere',
      () => places({ ...place, requires: '/spec/*/x' }),
      /^templates\.customResources\[0\]\.places\[0\]\.requires: must be the same/,
    ],
    [
      'an exception that is not in the content',
      () => places({ ...place, without: ['/spec/other'] }),
      /^templates\.customResources\[0\]\.places\[0\]\.without: must be below content/,
    ],
    [
      'a resource that is built in',
      () => ({ templates: { customResources: [{ resource: 'deployments.apps', places: [place] }] } }),
      /^templates\.customResources\[0\]\.resource: is built in: leave it out/,
    ],
  ])('refuses %s', async (_, changes, problem) => {
    expect(await problems(changes())).toEqual([expect.stringMatching(problem)]);
  });

  it('tells the problems of all files at once, without what is in them', async () => {
    await writeFile(at('secret'), '{"keys": "hunter2"}');
    const found = await problems({
      requestersFile: at('empty'),
      signing: { keysFile: at('secret') },
      identity: { denyUsers: ['b@REALM'] },
      kubernetes: { kubeconfig: at('gone') },
    });
    expect(found.length).toBeGreaterThanOrEqual(4);
    expect(found.join()).not.toContain('hunter2');
  });

  it('denies those that no pod may be, and more', async () => {
    const { denyUsers } = await stopped({ identity: { denyUsers: ['svc-*'] } });
    for (const user of ['hdfs', 'HDFS', 'root', 'yarn', 'svc-x']) expect(denyUsers(user)).toBeDefined();
    expect(denyUsers('alice')).toBeUndefined();
    expect((await stopped()).denyUsers('hdfs')).toBeDefined();
  });

  it('finds templates by their place, where what they need is there, but for what anybody may change', async () => {
    const { templates } = await stopped(
      places({ ...place, requires: '/spec/job/spec/containers', without: ['/spec/job/spec/suspend'] }),
    );
    const find = (spec: object) =>
      findTemplates({ resource: 'gangs.example.com', object: { spec: { job: { spec } } }, table: templates });
    expect(find({ suspend: true, containers: [] })).toMatchObject({
      ok: true,
      places: [{ content: { containers: [] } }],
    });
    expect(find({ suspend: true })).toEqual({ ok: true, places: [] });
  });

  it('takes over paths of Kube2Hadoop, and warns of those that become nothing', async () => {
    const configs = {
      gangs: { paths: ['$.spec.template.metadata.annotations', '$.metadata.annotations'] },
      pods: { paths: ['$.metadata.annotations'] },
    };
    await writeFile(at('paths.yaml'), JSON.stringify({ configs }));
    const planned = await stopped({ templates: { kube2hadoopPathsFile: at('paths.yaml') } });
    expect(planned.warnings).toEqual([
      expect.stringMatching(
        /^templates\.kube2hadoopPathsFile: "gangs": the path "\$\.metadata\.annotations"/,
      ),
      expect.stringMatching(/^templates\.kube2hadoopPathsFile: "pods" becomes nothing/),
    ]);
    const object = { spec: { template: { spec: { containers: [] } } } };
    expect(findTemplates({ resource: 'gangs.any.group', object, table: planned.templates })).toMatchObject({
      places: [{ annotations: ['spec', 'template', 'metadata', 'annotations'] }],
    });
    expect(describeDecoratePlan(planned)).toContainEqual(`warning: ${planned.warnings[0] ?? ''}`);
  });

  it('keeps the requesters that were right, until others are', async () => {
    const clock = new FakeClock();
    const trusting = (controller: string) => `version: 1\ntrustedControllers: ["${controller}"]\n`;
    await writeFile(at('requesters.yaml'), trusting('system:serviceaccount:a:one'));
    const planned = await plan({ requestersFile: at('requesters.yaml') }, clock);
    const changes: DecorateFileChange[] = [];
    planned.files.follow((change) => changes.push(change));
    const first = planned.requesterRules();
    const until = async (count: number): Promise<void> => {
      for (let turn = 0; changes.length < count && turn < 2_000; turn += 1) await clock.advance(1_000);
    };

    await writeFile(at('requesters.yaml'), 'version: 1\nrule: []\n');
    await until(1);
    expect(changes).toEqual([
      {
        file: 'requesters',
        outcome: 'kept',
        problems: [{ path: 'requestersFile', message: expect.stringContaining('rule: unknown key') }],
      },
    ]);
    expect(planned.requesterRules()).toBe(first);

    await writeFile(at('requesters.yaml'), trusting('system:serviceaccount:b:other'));
    await until(2);
    expect(changes[1]).toEqual({ file: 'requesters', outcome: 'reloaded', problems: [] });
    expect(planned.requesterRules()).not.toBe(first);
    planned.files.stop();
  });

  it('has no rules where none are named', async () => {
    const { requesterRules, identityRules, clientCa, files } = await stopped();
    expect([requesterRules(), identityRules()]).toHaveLength(2);
    expect(clientCa).toBeUndefined();
    expect([files.rules, files.requesters]).toEqual([undefined, undefined]);
  });
});

describe('describeDecoratePlan', () => {
  it('says what follows from the configuration, and no secret', async () => {
    const lines = describeDecoratePlan(await stopped({ listen: { address: '::1', port: 1 } }));
    expect(lines).toEqual([
      'configuration ok',
      'listen: https://[::1]:1',
      'admin: http://127.0.0.1:8081',
      'kubernetes: https://api.example:6443',
      `certificate: ${at('tls.crt')}`,
      `signing keys: 1 in ${at('keys.json')}, ${signingKey.kid} signs`,
      'namespaces: those with the label iddecorator=enabled',
    ]);
  });

  it('says where Secrets are, and that nothing is decided', async () => {
    const lines = describeDecoratePlan(
      await stopped({ tls: ownCa, signing: { secret: { name: 'keys' } }, auditOnly: true }),
    );
    expect(lines).toEqual(
      expect.arrayContaining([
        'certificate: an authority of our own, in Secret kerbridge-decorate-tls, for d.k.svc',
        'signing keys: in Secret keys',
        'audit only: nothing is changed or refused',
      ]),
    );
  });
});
