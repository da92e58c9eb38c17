import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { formatPublicKeys, newSigningKey, publicKeysOf } from '../../../src/identity/stamps/stamp-keys.ts';
import { readStack } from '../../stack/stack.ts';
import type { Stack } from '../../stack/stack.ts';
import { temporaryFolder } from '../hadoop/hdfs-token-service.ts';
import { kerbridge } from '../operators/kerbridge-process.ts';
import { copyDeploy, edit, oneOf, parseManifests } from './deploy-copy.ts';
import type { DeployCopy, Manifest } from './deploy-copy.ts';
import { openKubectl } from './kubectl.ts';
import { mountVolumes, podSpec } from './mount-volumes.ts';

/** Both commands with the arguments and files of their Deployments; `decorate-world.ts` runs them against the API server. */
describe('the production example', () => {
  let stack: Stack;
  let copy: DeployCopy;
  let manifests: Manifest[];
  let root: string;
  const disposables = new AsyncDisposableStack();

  beforeAll(async () => {
    stack = await readStack();
    copy = disposables.use(await copyDeploy(stack));
    root = disposables.use(await temporaryFolder()).path;
    const kubectl = disposables.use(await openKubectl(stack));
    manifests = parseManifests(await kubectl.must(['kustomize', copy.path('overlays/production-example')]));
  });
  afterAll(async () => {
    await disposables.disposeAsync();
  });

  /** Where a pod of the Deployment finds its files, and what the program is started with there. */
  async function mounted(deployment: string, folder: string): Promise<{ files: string; args: string[] }> {
    const { template } = oneOf(manifests, 'Deployment', deployment)['spec'] as {
      template: { spec: unknown };
    };
    const spec = podSpec.parse(template.spec);
    const files = join(root, folder);
    await mountVolumes(manifests, spec, files);
    const args = spec.containers[0].args.map((arg) =>
      arg.replace('$(POD_IP)', '127.0.0.1').replace('=/etc/', `=${files}/etc/`),
    );
    const config = args.find((arg) => arg.startsWith('--config='))?.slice('--config='.length) ?? '';
    await edit(config, (text) => text.replaceAll(' /etc/', ` ${files}/etc/`));
    return { files, args };
  }

  const check = async (args: readonly string[]) =>
    await kerbridge(...args, '--kubeconfig', stack.kubernetes.kubeconfig.admin, '--check-config');

  it('serve demands signatures, by the keys that decorate publishes', async () => {
    const { files, args } = await mounted('kerbridge', 'serve');
    const text = formatPublicKeys(publicKeysOf({ keys: [newSigningKey()] }));
    await writeFile(join(files, 'etc/kerbridge/stamp-keys/stamp-keys.json'), text);
    const checked = await check(args);
    expect(checked).toMatchObject({ exitCode: 0, error: '' });
    expect(checked.out).toContain('configuration ok');
    expect(checked.out).not.toMatch(/requireSignature|stampKeysFile/);
  });

  it('serve does not start before decorate has published any', async () => {
    const { args } = await mounted('kerbridge', 'serve-without-keys');
    const checked = await check(args);
    expect(checked.exitCode).toBe(2);
    expect(checked.error).toContain('identity.stampKeysFile');
  });

  it('the file that serve reads is the one that decorate writes', async () => {
    const { files } = await mounted('kerbridge', 'serve-file');
    const config = await readFile(join(files, 'etc/kerbridge/config/kerbridge.yaml'), 'utf8');
    const decorate = oneOf(manifests, 'ConfigMap', configName()) as unknown as {
      data: Record<string, string>;
    };
    expect(decorate.data['decorate.yaml']).toContain('secret: { name: kerbridge-stamp-keys }');
    expect(config).toContain('/etc/kerbridge/stamp-keys/stamp-keys.json');
    const { volumes } = podSpec.parse(
      (oneOf(manifests, 'Deployment')['spec'] as { template: { spec: unknown } }).template.spec,
    );
    expect(volumes).toContainEqual({
      name: 'stamp-keys',
      configMap: { name: 'kerbridge-stamp-keys', optional: true },
    });
  });

  it('decorate takes its files, with the requesters of the overlay', async () => {
    const { files, args } = await mounted('kerbridge-decorate', 'decorate');
    expect(await check(args)).toMatchObject({ exitCode: 0, error: '' });
    const requesters = await readFile(join(files, 'etc/kerbridge/requesters/requesters.yaml'), 'utf8');
    expect(requesters).toContain('otherRequesters: none');
  });

  const configName = (): string =>
    manifests.find(
      ({ kind, metadata }) => kind === 'ConfigMap' && metadata.name.startsWith('kerbridge-decorate-config-'),
    )?.metadata.name ?? '';
});
