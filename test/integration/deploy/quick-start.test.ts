import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { CoreV1Api, RbacAuthorizationV1Api } from '@kubernetes/client-node';
import { parse } from 'yaml';
import { parseServeConfig } from '../../../src/config/serve-config.ts';
import { Secret } from '../../../src/observability/secret.ts';
import { readStack } from '../../stack/stack.ts';
import type { Stack } from '../../stack/stack.ts';
import { temporaryFolder } from '../hadoop/hdfs-token-service.ts';
import { kubeconfigFor, LEAST_RULES, loadConfig, TestNamespace } from '../kubernetes-objects.ts';
import { kerbridge } from '../operators/kerbridge-process.ts';
import { startServe } from '../serve-process.ts';
import type { ServeProcess } from '../serve-process.ts';
import { copyDeploy, DEPLOY, edit, oneOf, parseManifests, IMAGE_NAME } from './deploy-copy.ts';
import type { DeployCopy, Manifest } from './deploy-copy.ts';
import { openKubectl, removeNamespace } from './kubectl.ts';
import type { Kubectl } from './kubectl.ts';
import { mountVolumes, podSpec } from './mount-volumes.ts';

const ACCOUNT = 'system:serviceaccount:kerbridge:kerbridge';
/** As the examples name the server. */
const HOST = 'kerbridge.kerbridge';

/**
 * The quick start as a person would do it, applied to the real API server. There is no kubelet: `serve` is a process with
 * the arguments, the files and the account of its Deployment, and what RBAC gives that account is all it has.
 */
describe('the quick start', () => {
  let stack: Stack;
  let kubectl: Kubectl;
  let copy: DeployCopy;
  let root: string;
  let manifests: Manifest[];
  let team: TestNamespace;
  let kubeconfig: string;
  let serve: ServeProcess;
  const disposals: (() => Promise<unknown>)[] = [];

  const apply = (...options: readonly string[]): Promise<string> =>
    kubectl.must(['apply', ...options, '--kustomize', copy.path('overlays/quick-start')]);
  const servePod = () => {
    const { template } = oneOf(manifests, 'Deployment')['spec'] as { template: { spec: unknown } };
    return podSpec.parse(template.spec);
  };
  const serveArgs = (): string[] =>
    servePod().containers[0].args.map((arg) =>
      arg.replace('$(POD_IP)', '127.0.0.1').replace('=/etc/', `=${root}/etc/`),
    );

  beforeAll(async () => {
    stack = await readStack();
    const admin = stack.kubernetes.kubeconfig.admin;
    kubectl = await openKubectl(stack);
    disposals.push(() => Promise.resolve(kubectl[Symbol.asyncDispose]()));
    copy = await copyDeploy(stack);
    disposals.push(() => Promise.resolve(copy[Symbol.asyncDispose]()));
    const folder = await temporaryFolder();
    disposals.push(() => Promise.resolve(folder[Symbol.asyncDispose]()));
    root = folder.path;
    team = await TestNamespace.create(admin, 'team');
    disposals.push(() => team.dispose());
    // The edit that rules.yaml is about.
    await edit(copy.path('overlays/quick-start/rules.yaml'), (text) =>
      text.replace('[team-a]', `[${team.name}]`),
    );

    disposals.push(async () => {
      await kubectl.must([
        'delete',
        '--ignore-not-found',
        '--wait=false',
        '--filename',
        join(DEPLOY, 'examples/operators.yaml'),
      ]);
      await kubectl.must([
        'delete',
        'clusterrole/kerbridge',
        'clusterrolebinding/kerbridge',
        'priorityclass/kerbridge',
      ]);
      await removeNamespace(kubectl, stack, 'kerbridge');
    });
    await apply();
    // For a group that somebody of the stack is in.
    const operators = await readFile(join(DEPLOY, 'examples/operators.yaml'), 'utf8');
    await kubectl.must(['apply', '--filename=-'], {
      input: operators.replaceAll('hadoop-operators', 'analysts'),
    });

    manifests = parseManifests(await kubectl.must(['kustomize', copy.path('overlays/quick-start')]));
    await mountVolumes(manifests, servePod(), root);
    const requested = await loadConfig(admin)
      .makeApiClient(CoreV1Api)
      .createNamespacedServiceAccountToken({
        namespace: 'kerbridge',
        name: 'kerbridge',
        body: { spec: { audiences: [], expirationSeconds: 3600 } },
      });
    kubeconfig = join(root, 'kubeconfig');
    const ownToken = new Secret(requested.status?.token ?? '');
    await writeFile(kubeconfig, await kubeconfigFor(loadConfig(admin), ownToken), { mode: 0o600 });

    const configFile = join(root, 'etc/kerbridge/config/kerbridge.yaml');
    await edit(configFile, (text) => text.replaceAll(' /etc/', ` ${root}/etc/`));
    const { listen, ...config } = parse(await readFile(configFile, 'utf8')) as { listen: { tls: object } };
    // Its ports are taken by others here.
    serve = await startServe({
      dir: root,
      config: { ...config, listen: { tls: listen.tls }, kubernetes: { kubeconfig } },
    });
    disposals.push(() => serve.stop());
  });

  afterAll(async () => {
    for (const dispose of disposals.toReversed()) await dispose();
  });

  it('serve takes the arguments and files of its Deployment', async () => {
    const checked = await kerbridge(...serveArgs(), '--kubeconfig', kubeconfig, '--check-config');
    expect(checked).toMatchObject({ exitCode: 0, error: '' });
    expect(checked.out).toContain('listen: https://0.0.0.0:8443');
    expect(checked.out).toContain('admin: http://127.0.0.1:8081');
  });

  it('serve is ready, every dependency with it, and hands out what the rules allow and nothing else', async () => {
    const ready = (await (await fetch(`${serve.adminUrl}/readyz`)).json()) as { dependencies: object[] };
    expect(ready.dependencies.length).toBeGreaterThan(4);
    for (const dependency of ready.dependencies) expect(dependency).toMatchObject({ status: 'ok' });

    const alice = await askAs('alice');
    expect(alice).toMatchObject({ status: 200, body: { owner: 'alice' } });
    expect(await askAs('bob')).toMatchObject({ status: 403 });
    expect(serve.output()).not.toMatch(/forbidden|grant/i);
  });

  it('operators revoke and see tokens with what examples/operators.yaml gives them', async () => {
    const alice = stack.kubernetes.kubeconfig.alice;
    const tokens = await kerbridge(
      'tokens',
      ...['--kubeconfig', alice, '--service-account', 'kerbridge/operator', '--url', serve.url],
      ...['--server-name', HOST, '--ca-file', copy.path('overlays/quick-start/files/ca.crt'), '--json'],
    );
    expect(tokens).toMatchObject({ exitCode: 0, error: '' });
    expect(tokens.out).toContain('"alice"');
    const revoked = await kerbridge('revoke', '--kubeconfig', alice, '--user', 'mallory', '--reason', 'test');
    expect(revoked).toMatchObject({ exitCode: 0, error: '' });
  });

  it('applying again, either way, takes no revocation back', async () => {
    const revoked = async (): Promise<string> =>
      await kubectl.must([
        ...['--namespace=kerbridge', 'get', 'configmap', 'kerbridge-revocations'],
        '--output=jsonpath={.data}',
      ]);
    const before = await revoked();
    expect(before).toContain('mallory');
    await apply();
    expect(await revoked()).toBe(before);
    await apply('--server-side', '--force-conflicts');
    expect(await revoked()).toBe(before);
  });

  describe('the rights of serve', () => {
    it('are those that serve is tested with, and docs name, in these two roles', () => {
      const cluster = oneOf(manifests, 'ClusterRole')['rules'] as object[];
      const own = oneOf(manifests, 'Role')['rules'] as object[];
      expect([...cluster, ...own]).toHaveLength(LEAST_RULES.length);
      expect([...cluster, ...own]).toEqual(expect.arrayContaining([...LEAST_RULES]));
      // The ConfigMap's and those of Secrets in its own namespace only.
      expect(own).toEqual([
        expect.objectContaining({ resources: ['configmaps'] }),
        expect.objectContaining({ resources: ['secrets'] }),
      ]);
      expect(oneOf(manifests, 'Role').metadata.namespace).toBe('kerbridge');
    });

    it('come by no other binding', async () => {
      const rbac = loadConfig(stack.kubernetes.kubeconfig.admin).makeApiClient(RbacAuthorizationV1Api);
      const bindings = [
        ...(await rbac.listClusterRoleBinding()).items,
        ...(await rbac.listRoleBindingForAllNamespaces()).items,
      ].filter(({ subjects }) =>
        subjects?.some(({ name, namespace }) => name === 'kerbridge' && namespace === 'kerbridge'),
      );
      expect(bindings.map(({ roleRef }) => `${roleRef.kind}/${roleRef.name}`).toSorted()).toEqual([
        'ClusterRole/kerbridge',
        'Role/kerbridge',
      ]);
    });

    it.each([
      ['create', 'tokenreviews.authentication.k8s.io', 'yes'],
      ['watch', 'pods', 'yes'],
      ['get', 'configmaps/kerbridge-revocations', 'yes'],
      ['get', 'configmaps/kerbridge-rules', 'no'],
      ['list', 'configmaps', 'no'],
      ['patch', 'configmaps/kerbridge-revocations', 'no'],
      ['get', 'secrets', 'yes'],
      ['list', 'secrets', 'yes'],
      ['create', 'secrets', 'yes'],
      ['patch', 'secrets', 'no'],
      ['deletecollection', 'secrets', 'no'],
      ['create', 'pods', 'no'],
      ['patch', 'pods', 'no'],
      ['create', 'pods/exec', 'no'],
      ['create', 'serviceaccounts/token', 'no'],
      ['impersonate', 'serviceaccounts', 'no'],
      ['list', 'namespaces', 'no'],
    ])('%s %s: %s', async (verb, resource, expected) => {
      const { stdout } = await kubectl.run(['auth', 'can-i', verb, resource, '--namespace=kerbridge'], {
        kubeconfig,
      });
      expect(stdout.trim()).toBe(expected);
    });

    it('are tried as the account that the pods have', async () => {
      const who = await kubectl.must(['auth', 'whoami', '--output=jsonpath={.status.userInfo.username}'], {
        kubeconfig,
      });
      expect(who).toBe(ACCOUNT);
    });
  });

  it('a pod has the time to end that serve may take', () => {
    const { data } = manifests.find(
      ({ kind, metadata }) => kind === 'ConfigMap' && metadata.name.startsWith('kerbridge-config-'),
    ) as unknown as { data: Record<string, string> };
    const parsed = parseServeConfig(parse(data['kerbridge.yaml'] ?? ''));
    if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
    const AUDIT_MS = 5_000;
    const needsMs = parsed.config.shutdownDrainPeriodMs + parsed.config.shutdownGracePeriodMs + AUDIT_MS;
    expect(servePod()['terminationGracePeriodSeconds']).toBeGreaterThan(needsMs / 1000);
  });

  it('the Job of the check has the account, files and confinement of serve', async () => {
    const overlay = parseManifests(
      await kubectl.must(['kustomize', copy.path('overlays/quick-start-check')]),
    );
    const specOf = (manifest: Manifest) =>
      podSpec.parse((manifest['spec'] as { template: { spec: unknown } }).template.spec);
    const check = specOf(oneOf(overlay, 'Job', 'kerbridge-check'));
    const serving = specOf(oneOf(overlay, 'Deployment'));
    for (const key of ['serviceAccountName', 'automountServiceAccountToken', 'securityContext']) {
      expect(check[key]).toEqual(serving[key]);
    }
    const { args, ...container } = check.containers[0];
    const { args: serveArguments, ...serveContainer } = serving.containers[0];
    for (const key of ['image', 'securityContext']) expect(container[key]).toEqual(serveContainer[key]);
    expect(container['image']).toBe(`${IMAGE_NAME}:0.1.0`);
    const config = serveArguments.filter((arg) => arg.startsWith('--config='));
    expect(config).toHaveLength(1);
    expect(args).toEqual(expect.arrayContaining(config));
    expect(container.volumeMounts.filter(({ name }) => name !== 'ca')).toEqual(serveContainer.volumeMounts);
    expect(check.volumes.filter(({ name }) => name !== 'ca')).toEqual(serving.volumes);
  });

  it('the Job of the check takes its arguments, and finds nothing wrong but that nobody listens there', async () => {
    const overlay = parseManifests(
      await kubectl.must(['kustomize', copy.path('overlays/quick-start-check')]),
    );
    const { template } = oneOf(overlay, 'Job', 'kerbridge-check')['spec'] as { template: { spec: unknown } };
    const spec = podSpec.parse(template.spec);
    await mountVolumes(overlay, spec, join(root, 'check'));
    const args = spec.containers[0].args.map((arg) =>
      arg
        .replace('=/etc/kerbridge/ca/', `=${root}/check/etc/kerbridge/ca/`)
        .replace('=/etc/', `=${root}/etc/`)
        .replace(`https://${HOST}:8443`, 'https://127.0.0.1:1'),
    );
    const { exitCode, out } = await kerbridge(...args, '--kubeconfig', kubeconfig, '--json');
    const { findings } = JSON.parse(out) as { findings: { id: string; outcome: string }[] };
    expect(findings.filter(({ outcome }) => outcome === 'failed')).toMatchObject([{ id: 'server' }]);
    expect(exitCode).toBe(1);
    const fine = findings.filter(({ outcome }) => outcome === 'ok').map(({ id }) => id.split(':')[0]);
    expect(fine).toEqual(
      expect.arrayContaining(['proxy-user', 'rbac', 'revocations-config-map', 'tls-files', 'tls-chain']),
    );
  });

  /** As a pod of that user's, by the name and the authority that examples use. */
  async function askAs(user: string): Promise<{ status: number | undefined; body: unknown }> {
    const [example] = parseManifests(await readFile(join(DEPLOY, 'examples/pod-fetch.yaml'), 'utf8'));
    expect(JSON.stringify(example)).toContain(`--url=https://${HOST}:8443`);
    const pod = await team.createPod({ user, podIp: '127.0.0.1' });
    const serviceAccountToken = await team.requestToken(['kerbridge'], { pod });
    const sent = request(`${serve.url}/v1/credentials`, {
      agent: false,
      servername: HOST,
      ca: await readFile(copy.path('overlays/quick-start/files/ca.crt')),
      headers: { Host: HOST, Authorization: `Bearer ${serviceAccountToken.reveal()}` },
    }).end();
    const [reply] = (await once(sent, 'response')) as [IncomingMessage];
    return { status: reply.statusCode, body: await json(reply) };
  }
});
