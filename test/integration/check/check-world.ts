import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { Finding, Outcome } from '../../../src/preflight/finding.ts';
import { readStack } from '../../stack/stack.ts';
import type { Stack } from '../../stack/stack.ts';
import { stackCluster } from '../stack-cluster.ts';
import { kerbridge } from '../operators/kerbridge-process.ts';

/** One run of `kerbridge check --json` on the real stack. */
export interface CheckResult {
  readonly exitCode: number;
  readonly findings: readonly Finding[];
  readonly summary: Readonly<Record<Outcome, number>>;
  /** The finding with that id; fails without exactly one. */
  readonly of: (id: string) => Finding;
  /** `id outcome`, to compare a whole run. */
  readonly outcomes: readonly string[];
}

/** Runs the CLI against clusters of the stack, each with changes. */
export class CheckWorld implements AsyncDisposable {
  readonly stack: Stack;
  readonly folder: string;
  #runs = 0;

  private constructor(stack: Stack, folder: string) {
    this.stack = stack;
    this.folder = folder;
  }

  static async create(): Promise<CheckWorld> {
    return new CheckWorld(await readStack(), await mkdtemp(join(tmpdir(), 'kerbridge-check-')));
  }

  cluster(change: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
    return stackCluster(this.stack, change);
  }

  async writeConfig(
    clusters: readonly Readonly<Record<string, unknown>>[],
    more: Readonly<Record<string, unknown>> = {},
  ): Promise<string> {
    this.#runs += 1;
    const file = join(this.folder, `check-${this.#runs}.yaml`);
    const kubeconfig = this.stack.kubernetes.kubeconfig.admin;
    await writeFile(
      file,
      stringify({ kubernetes: { kubeconfig }, clusters, identity: { requireSignature: false }, ...more }),
    );
    return file;
  }

  /** Of one cluster, the plain HDFS with changes. */
  async check(change: Readonly<Record<string, unknown>>, ...args: readonly string[]): Promise<CheckResult> {
    return this.checkFile(await this.writeConfig([this.cluster(change)]), ...args);
  }

  async checkFile(config: string, ...args: readonly string[]): Promise<CheckResult> {
    const { exitCode, out, error } = await kerbridge('check', '--config', config, '--json', ...args);
    let document: Pick<CheckResult, 'findings' | 'summary'>;
    try {
      document = JSON.parse(out) as Pick<CheckResult, 'findings' | 'summary'>;
    } catch {
      throw new Error(`kerbridge check ended with ${exitCode}:\n${out}${error}`);
    }
    const { findings } = document;
    return {
      ...document,
      exitCode,
      outcomes: findings.map(({ id, outcome }) => `${id} ${outcome}`),
      of: (id) => {
        const [finding, ...others] = findings.filter((each) => each.id === id);
        if (finding === undefined || others.length > 0) {
          throw new Error(
            `${others.length === 0 ? 'no' : 'more than one'} ${id} in ${JSON.stringify(findings)}`,
          );
        }
        return finding;
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }
}
