import { beforeAll, describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { z } from 'zod';

// A process of its own, since nothing can be measured beside jest. The flags keep the collector from running while an
// input is decoded, so that what the probe sees is everything that was allocated, garbage included: more than the
// peak. And nothing of V8's runs beside it: what a sweeper frees late is taken off, what the compiler takes late comes
// on top. So it is the same to the byte in every run, on a busy machine too.
const PROBE = fileURLToPath(
  new URL('../../../test/fixtures/hadoop-codec/allocation-probe.ts', import.meta.url),
);
const FLAGS = [
  '--single-threaded',
  '--disable-warning=ExperimentalWarning',
  '--expose-gc',
  '--min-semi-space-size=256',
  '--max-semi-space-size=256',
];

const MIB = 2 ** 20;

const probeSchema = z.object({
  name: z.string(),
  inputBytes: z.int(),
  allocatedBytes: z.int(),
  collections: z.int(),
  outcome: z.string(),
});

describe('memory', () => {
  let probes: z.infer<typeof probeSchema>[] = [];

  beforeAll(async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [...FLAGS, PROBE]);
    probes = stdout
      .trimEnd()
      .split('\n')
      .map((line) => probeSchema.parse(JSON.parse(line)));
  }, 60_000);

  const hostile = () => probes.filter(({ name }) => !name.startsWith('control: '));

  it('is measured: an array of 1 MiB and 10,000 small ones are seen', () => {
    const controls = probes.filter(({ name }) => name.startsWith('control: '));
    expect(controls).toHaveLength(2);
    for (const { allocatedBytes } of controls) {
      expect(allocatedBytes).toBeGreaterThanOrEqual(MIB);
    }
  });

  it('is measured without the collector in between', () => {
    expect(probes.filter(({ collections }) => collections !== 0)).toEqual([]);
  });

  it('stays below four times the input and 1 MiB, for every hostile input', () => {
    expect(hostile()).toHaveLength(33);
    expect(hostile().filter((probe) => probe.allocatedBytes > 4 * probe.inputBytes + MIB)).toEqual([]);
  });

  it('is not what a refusal takes: an announced length or count costs nothing', () => {
    const announced = hostile().filter(({ name }) => name.includes('announced'));
    expect(announced.map(({ outcome }) => outcome).sort()).toEqual([
      'length-out-of-range',
      'too-many-entries',
      'too-many-entries',
      'truncated',
      'truncated',
      'truncated',
    ]);
    expect(announced.filter(({ allocatedBytes }) => allocatedBytes > 64 * 1024)).toEqual([]);
  });

  it('was measured for inputs that are read whole as well as for refused ones', () => {
    expect(hostile().filter(({ outcome }) => outcome === 'read').length).toBeGreaterThanOrEqual(14);
  });
});
