import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { oneOf } from './deploy-copy.ts';
import type { Manifest } from './deploy-copy.ts';

const volume = z.looseObject({
  name: z.string(),
  configMap: z.object({ name: z.string(), optional: z.boolean().optional() }).optional(),
  secret: z.object({ secretName: z.string() }).optional(),
});

export const podSpec = z.looseObject({
  containers: z.tuple([
    z.looseObject({
      args: z.array(z.string()),
      volumeMounts: z.array(z.looseObject({ name: z.string(), mountPath: z.string() })),
    }),
  ]),
  volumes: z.array(volume),
});

const data = z.looseObject({ data: z.record(z.string(), z.string()).optional() });
const binary = z.looseObject({ binaryData: z.record(z.string(), z.string()).optional() });

/** What the kubelet would do: the files of every ConfigMap and Secret of the pod, at their places below `root`. */
export async function mountVolumes(
  manifests: readonly Manifest[],
  spec: z.infer<typeof podSpec>,
  root: string,
): Promise<void> {
  for (const { name, mountPath } of spec.containers[0].volumeMounts) {
    const folder = join(root, mountPath);
    await mkdir(folder, { recursive: true });
    const { configMap, secret } = spec.volumes.find((each) => each.name === name) ?? {};
    const files: [string, Buffer][] = [];
    const add = (record: Record<string, string> | undefined, encoding: 'utf8' | 'base64'): void => {
      for (const [file, text] of Object.entries(record ?? {}))
        files.push([file, Buffer.from(text, encoding)]);
    };
    const isThere = (wanted: string) =>
      manifests.some((each) => each.kind === 'ConfigMap' && each.metadata.name === wanted);
    if (configMap !== undefined && (configMap.optional !== true || isThere(configMap.name))) {
      const found = oneOf(manifests, 'ConfigMap', configMap.name);
      add(data.parse(found).data, 'utf8');
      add(binary.parse(found).binaryData, 'base64');
    } else if (secret !== undefined) {
      add(data.parse(oneOf(manifests, 'Secret', secret.secretName)).data, 'base64');
    }
    for (const [file, bytes] of files) await writeFile(join(folder, file), bytes);
  }
}
