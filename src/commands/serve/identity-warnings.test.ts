import { describe, expect, it } from '@jest/globals';
import { parseServeConfig } from '../../config/serve-config.ts';
import { identityWarnings, stampKeysDependency } from './identity-warnings.ts';

const identityOf = (identity: object) => {
  const result = parseServeConfig({ clusters: [{ hadoopConf: '/c', keytab: '/k' }], identity });
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  return result.config.identity;
};
const rulesFile = '/rules.yaml';
const stampKeysFile = '/keys.json';

const NO_KEYS = /^identity\.stampKeysFile is not set, so no pod gets anything: .*requireSignature: false/;
const NO_RULES = /^identity\.rulesFile is not set/;
const LAX = /^identity\.requireSignature is off/;

describe('what is said of a lax identity section', () => {
  it.each<[object, RegExp[]]>([
    [{}, [NO_KEYS, NO_RULES]],
    [{ rulesFile }, [NO_KEYS]],
    [{ stampKeysFile }, [NO_RULES]],
    [{ rulesFile, stampKeysFile }, []],
    [{ requireSignature: false }, [LAX, NO_RULES]],
    [{ requireSignature: false, rulesFile }, [LAX]],
    [{ requireSignature: false, rulesFile, stampKeysFile }, [LAX]],
  ])('warns of %j', (identity, warnings) => {
    expect(identityWarnings(identityOf(identity))).toEqual(
      warnings.map((warning) => expect.stringMatching(warning) as unknown),
    );
  });

  it('keeps a replica from being ready that requires signatures and can verify none', async () => {
    const [dependency, ...others] = stampKeysDependency(identityOf({}));
    expect(others).toEqual([]);
    expect(dependency).toMatchObject({ name: 'identity/stamp-keys', required: 'always' });
    await expect(dependency?.check(new AbortController().signal)).rejects.toThrow(NO_KEYS);
  });

  it.each([{ stampKeysFile }, { requireSignature: false }, { requireSignature: false, stampKeysFile }])(
    'keeps none with %j',
    (identity) => {
      expect(stampKeysDependency(identityOf(identity))).toEqual([]);
    },
  );
});
