import { readFileSync } from 'node:fs';

/** `version` of our package.json, which is two folders up from here in `src` and in `dist`. */
export function packageVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  const packageJson: unknown = JSON.parse(text);
  const version: unknown =
    typeof packageJson === 'object' && packageJson !== null ? Reflect.get(packageJson, 'version') : undefined;
  if (typeof version !== 'string') throw new Error('package.json has no version');
  return version;
}
