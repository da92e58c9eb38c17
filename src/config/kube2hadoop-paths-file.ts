import { z } from 'zod';
import { ConfigError } from './config-problem.ts';
import { explainIssue } from './explain-issue.ts';
import { readYaml } from './read-yaml.ts';

/** Kube2Hadoop's paths.yaml. It read the file strictly as well; both lists may be left out there. */
const pathsSchema = z.strictObject({
  configs: z.record(
    z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/, {
      error: 'must be alltypes, or the plural of a resource without its group, for example tfjobs',
    }),
    z.strictObject({
      paths: z.array(z.string().max(2_000)).max(50).nullish(),
      neverOverwriteAccounts: z.array(z.string()).nullish(),
    }),
  ),
});

export interface Kube2HadoopPathsFile {
  readonly configs: ReadonlyMap<
    string,
    { readonly paths: readonly string[]; readonly neverOverwriteAccounts: readonly string[] }
  >;
}

/** Throws a {@link ConfigError} of all problems. */
export function parseKube2HadoopPaths(text: string): Kube2HadoopPathsFile {
  const yaml = readYaml(text);
  if (!yaml.ok) throw new ConfigError(yaml.problems);
  const parsed = pathsSchema.safeParse(yaml.value);
  if (!parsed.success) throw new ConfigError(parsed.error.issues.flatMap(explainIssue));
  return {
    configs: new Map(
      Object.entries(parsed.data.configs).map(([resource, { paths, neverOverwriteAccounts }]) => [
        resource,
        { paths: paths ?? [], neverOverwriteAccounts: neverOverwriteAccounts ?? [] },
      ]),
    ),
  };
}
