import { z } from 'zod';
import { name, objectName, text } from './schema-parts.ts';

/* `injection` of the configuration of `kerbridge decorate`: what is put into pods that ask for it. */

const MAX_GROUP = 2_147_483_647;
/** Of nobody's files elsewhere, it is to be hoped. */
const DEFAULT_GROUP = 60_832;

const quantity = z.string().regex(/^(?!0+(?:\.0+)?[A-Za-z]*$)\d{1,12}(?:\.\d{1,3})?(?:m|[kMG]|[KMG]i)?$/, {
  error: 'must be a quantity as Kubernetes has them: "50m", "0.5", "64Mi"',
});

/** No query, no user or password: as `kerbridge fetch` takes it. */
const fetchUrl = z.string().refine(isFetchUrl, {
  error: 'must be http(s)://host[:port][/prefix] of `kerbridge serve`, with no password, query or fragment',
});

/** Of a ConfigMap. */
const dataKey = z.string().regex(/^[A-Za-z0-9._-]{1,253}$/, {
  error: 'must be a key of a ConfigMap: A-Z, a-z, 0-9, "-", "_" and "."',
});

const image = z.string().regex(/^[^\s$]{1,512}$/, {
  error: 'must be the name of an image, with its registry and its tag or digest',
});

export const injectionSchema = z.strictObject({
  image,
  url: fetchUrl,
  program: z.enum(['fetch-credentials.sh', 'kerbridge']).default('fetch-credentials.sh'),
  audience: text.default('kerbridge'),
  cluster: name.optional(),
  authority: z.strictObject({ configMap: objectName, key: dataKey.default('ca.crt') }).optional(),
  hadoopConf: z.strictObject({ configMap: objectName, krb5Conf: z.boolean().default(false) }).optional(),
  group: z.int().min(1).max(MAX_GROUP).default(DEFAULT_GROUP),
  resources: z
    .strictObject({ cpu: quantity.optional(), memory: quantity.optional(), cpuLimit: quantity.optional() })
    .prefault({}),
});

type RawInjection = z.output<typeof injectionSchema>;

export interface InjectionConfig {
  readonly image: string;
  /** What is run in it. */
  readonly program: RawInjection['program'];
  readonly url: string;
  readonly audience: string;
  /** undefined: the first of `serve`. */
  readonly cluster: string | undefined;
  /** undefined: the authorities that the image trusts. */
  readonly authority: { readonly configMap: string; readonly key: string } | undefined;
  readonly hadoopConf: { readonly configMap: string; readonly krb5Conf: boolean } | undefined;
  readonly group: number;
  readonly resources: {
    readonly cpu: string;
    readonly memory: string;
    readonly cpuLimit: string | undefined;
  };
}

/** As deploy/examples has them: Node takes ten times what a shell does. */
const NEEDS = {
  'fetch-credentials.sh': { cpu: '20m', memory: '32Mi' },
  kerbridge: { cpu: '50m', memory: '128Mi' },
} as const;

export function toInjection(raw: RawInjection): InjectionConfig {
  const { cpu, memory, cpuLimit } = raw.resources;
  const needs = NEEDS[raw.program];
  return {
    ...raw,
    cluster: raw.cluster,
    authority: raw.authority,
    hadoopConf: raw.hadoopConf,
    resources: { cpu: cpu ?? needs.cpu, memory: memory ?? needs.memory, cpuLimit },
  };
}

function isFetchUrl(given: string): boolean {
  // Kubernetes would expand $(NAME).
  if (!/^https?:\/\/[^\s$]+$/i.test(given) || !URL.canParse(given)) return false;
  const { username, password, search, hash } = new URL(given);
  return [username, password, search, hash].every((part) => part === '');
}
