import { systemClock } from '../../../src/time/clock.ts';
import { ensurePart, readRunRecord } from '../parts.ts';
import { stackPaths } from '../paths.ts';
import { isAlive, processMarks } from '../processes.ts';
import { readSettings } from '../settings.ts';
import { withStackLock } from '../up.ts';
import { controlPlanePrograms } from './control-plane-programs.ts';
import { readCluster } from './cluster-files.ts';
import { apiserverPart } from './kubernetes.ts';

/** What tests do to the API server behind its clients' back. */
export interface KubernetesControl extends AsyncDisposable {
  /** SIGKILL, as the kernel's memory killer does it; gone when it resolves. */
  kill(): Promise<void>;
  /** Starts it when it doesn't run; it works when this resolves. */
  start(): Promise<void>;
  /** SIGSTOP: connections stay, nobody answers. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** Makes etcd forget every version but the last, which it does by itself every five minutes. */
  compact(): Promise<void>;
  /** Resumes and starts it. */
  [Symbol.asyncDispose](): Promise<void>;
}

const silent = (): void => undefined;

export function kubernetesControl({ dir }: { readonly dir: string }): KubernetesControl {
  const paths = stackPaths(dir);

  async function identity() {
    const record = await readRunRecord(paths, 'kube-apiserver');
    return record !== undefined && (await isAlive(record.identity)) ? record.identity : undefined;
  }

  async function signal(name: 'SIGSTOP' | 'SIGCONT'): Promise<void> {
    const live = await identity();
    if (live === undefined) throw new Error('the API server does not run');
    process.kill(live.pid, name);
  }

  async function start(): Promise<void> {
    await withStackLock(paths, silent, async () => {
      const settings = await readSettings(paths.settings);
      const cluster = await readCluster(paths);
      if (settings === undefined || cluster === undefined) throw new Error(`no stack in ${dir}`);
      const programs = await controlPlanePrograms({
        progress: silent,
        marks: processMarks(paths.dir, 'build-kubernetes'),
      });
      const { ports, controllers } = settings;
      const part = apiserverPart({ paths, ports, programs, cluster, controllers });
      await ensurePart(part, { paths, progress: silent });
    });
  }

  async function compact(): Promise<void> {
    const port = (await readSettings(paths.settings))?.ports['etcd-client'];
    const { header } = (await etcd(port, 'range', { key: Buffer.from('compact').toString('base64') })) as {
      header: { revision: string };
    };
    await etcd(port, 'compaction', { revision: header.revision, physical: true });
  }

  return {
    kill: async () => {
      const live = await identity();
      if (live === undefined) return;
      process.kill(live.pid, 'SIGKILL');
      while (await isAlive(live)) await systemClock.sleep(20);
    },
    start,
    pause: () => signal('SIGSTOP'),
    resume: () => signal('SIGCONT'),
    compact,
    [Symbol.asyncDispose]: async () => {
      if ((await identity()) !== undefined) await signal('SIGCONT');
      await start();
    },
  };
}

/** etcd's JSON gateway (etcd.io/docs, "gRPC gateway"); bytes are base64. */
async function etcd(port: number | undefined, method: string, body: object): Promise<unknown> {
  const response = await fetch(`http://127.0.0.1:${port}/v3/kv/${method}`, {
    method: 'POST',
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(10_000),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`etcd ${method}: ${response.status} ${text}`);
  return JSON.parse(text) as unknown;
}
