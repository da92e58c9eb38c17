import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import type { LookupAddresses } from '../../src/hadoop/conf-dir/token-service-names.ts';

const ROOT = fileURLToPath(new URL('../fixtures/hadoop-conf/', import.meta.url));

/** Directory of a case of test/fixtures/hadoop-conf. */
export function hadoopConfDirectory(name: string): string {
  return `${ROOT}${name}`;
}

/** What Hadoop 3.4.2 itself makes of a case, see the README there. */
export interface RecordedByHadoop {
  readonly properties: Readonly<Record<string, string | null | { readonly error: string }>>;
  readonly services?: Readonly<
    Record<string, { readonly 'use_ip=true': string; readonly 'use_ip=false': string }>
  >;
}

export function recordedByHadoop(name: string): RecordedByHadoop {
  return JSON.parse(readFileSync(`${ROOT}${name}/hadoop-3.4.2.json`, 'utf8')) as RecordedByHadoop;
}

/** Looks up addresses in the same hosts file that the recordings were made with. */
export const lookupInHostsFile: LookupAddresses = async (host) => {
  const found = readFileSync(`${ROOT}hosts`, 'utf8')
    .split('\n')
    .map((line) => line.replace(/#.*/, '').split(/\s+/))
    .filter((fields) => fields.slice(1).includes(host))
    .flatMap(([address]) => address ?? []);
  if (found.length === 0) throw new Error(`getaddrinfo ENOTFOUND ${host}`);
  return found;
};
