import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { TestNamespace } from '../kubernetes-objects.ts';
import { kerbridge } from '../operators/kerbridge-process.ts';
import { waitFor } from '../serve-process.ts';
import { notAllowed, type Refusal, RefusalWorld } from './refusal-world.ts';
import { askCredentials, AUDIENCE } from './serve-world.ts';

describe('users that are refused, none of which reaches the NameNode', () => {
  let refusals: RefusalWorld;
  let namespace: TestNamespace;
  /** Its pods may be bob's only. */
  let fenced: TestNamespace;
  let rulesFile: string;
  let rules: Record<string, unknown>;

  beforeAll(async () => {
    refusals = await RefusalWorld.create(async (world) => {
      rulesFile = join(world.folder, 'rules.yaml');
      fenced = await world.anotherNamespace();
      rules = {
        version: 1,
        groups: { leads: ['alice', 'hdfs'] },
        namespaces: [{ namespaces: [fenced.name], users: ['bob'] }],
        otherNamespaces: 'any',
        doAs: [
          // What no operator should write; the deny list comes after it.
          {
            users: ['bob', 'hdfs', 'HDFS', 'hive', 'kerbridge', 'Kerbridge', 'svc*', '*admin*'],
            by: ['group:leads'],
          },
          { users: ['carol'], by: ['alice'], namespaces: ['somewhere-else'] },
        ],
        denyUsers: ['svc-vault*'],
      };
      await writeFile(rulesFile, stringify(rules));
      return { identity: { rulesFile, denyUsers: ['*admin'] } };
    });
    ({ namespace } = refusals.world);
  });

  afterAll(async () => {
    await refusals[Symbol.asyncDispose]();
  });

  const replaceRules = async (text: string): Promise<void> => {
    const fresh = `${rulesFile}.new`;
    await writeFile(fresh, text);
    await rename(fresh, rulesFile);
  };

  /** A new pod of that user asks; it is known which pod that was. */
  const expectRefused = async (
    reason: string,
    {
      user,
      doAs,
      inNamespace = namespace,
      ...more
    }: Partial<Refusal> & {
      user?: string | undefined;
      inNamespace?: TestNamespace;
    },
  ): Promise<void> => {
    const { pod, serviceAccountToken } = await refusals.world.pod(user === undefined ? {} : { user }, {
      namespace: inNamespace,
    });
    const query = doAs === undefined ? '' : `?${new URLSearchParams({ doAs }).toString()}`;
    await refusals.expectRefused(
      () => askCredentials(refusals.serve, serviceAccountToken, { query }),
      notAllowed(reason, { pod, ...(doAs === undefined ? {} : { doAs }), ...more }),
    );
  };

  it.each([
    ['no stamp', undefined],
    ['an empty stamp', ''],
  ])('a pod with %s', async (_name, user) => {
    await expectRefused('no-stamp', { user });
  });

  describe('names', () => {
    it.each<[string, string]>([
      ['a realm', 'alice@KERBRIDGE.TEST'],
      ['a host', 'alice/admin'],
      ['host and realm of a superuser', 'hdfs/localhost@KERBRIDGE.TEST'],
      ['a blank', 'al ice'],
      ['a blank before', ' alice'],
      ['a blank behind', 'alice '],
      ['a line break behind', 'alice\n'],
      ['a line break and a header', 'alice\r\nX-User: hdfs'],
      ['a NUL', 'alice\u0000'],
      ['a NUL and more', 'alice\u0000hdfs'],
      ['a bell', 'ali\u0007ce'],
      ['DEL', 'alice\u007f'],
      ['C1 control', 'alice\u0085'],
      ['a Cyrillic a', '\u0430lice'],
      ['a full-width a', '\uff41lice'],
      ['a long s, the upper case of which is S', 'hdf\u017f'],
      ['the Kelvin sign, the lower case of which is k', '\u212aerbridge'],
      ['a dotless i', 'al\u0131ce'],
      ['a combining mark', 'alice\u0301'],
      ['a zero-width joiner', 'ali\u200dce'],
      ['a right-to-left mark', 'alice\u202e'],
      ['a comma', 'alice,hdfs'],
      ['a colon', 'alice:hdfs'],
      ['an ampersand', 'alice&doas=hdfs'],
      ['a percent sign', 'alice%00'],
      ['dots and slashes', '../hdfs'],
      ['a star', '*'],
      ['a hyphen before', '-alice'],
      ['a digit before', '1alice'],
      ['300 characters', 'a'.repeat(300)],
    ])('stamped: %s', async (_name, user) => {
      await expectRefused('user-name-invalid', { user });
    });

    // A glob of the rules lets each of them ask, so what they ask for is looked at.
    it.each([
      ['a realm', 'svc@KERBRIDGE.TEST'],
      ['a host', 'svc/localhost'],
      ['host and realm', 'svc/hdfs@KERBRIDGE.TEST'],
      ['a blank', 'svc hdfs'],
      ['a comma', 'svc,hdfs'],
      ['256 characters', `svc${'a'.repeat(253)}`],
    ])('asked for: %s', async (_name, doAs) => {
      await expectRefused('user-name-invalid', { user: 'alice', doAs });
    });

    it.each([
      ['a control character', 'bob\u0000'],
      ['a line break', 'bob\n'],
      ['a look-alike', 'b\u043eb'],
      ['300 characters', 'b'.repeat(300)],
      ['nothing', ''],
    ])('asked for, and no fit for a query: %s', async (_name, doAs) => {
      const { serviceAccountToken } = await refusals.world.pod({ user: 'alice' });
      const before = refusals.tokensAsked;
      const query = `?${new URLSearchParams({ doAs }).toString()}`;
      const answer = await askCredentials(refusals.serve, serviceAccountToken, { query });
      expect(answer.status).toBe(400);
      expect(answer.json).toMatchObject({
        code: 'invalid-request',
        title: 'doAs must be 1 to 256 printable ASCII characters',
      });
      expect(await refusals.serve.auditLineOf(answer.json['requestId'])).toMatchObject({
        decision: 'malformed',
        reason: 'query',
      });
      expect(refusals.tokensAsked).toBe(before);
    });
  });

  describe('the deny list', () => {
    it.each([
      ['a superuser', 'hdfs'],
      ['in capitals', 'HDFS'],
      ['in mixed case', 'hDfS'],
      ['root', 'root'],
      ['yarn', 'yarn'],
      ['the user of SPNEGO', 'HTTP'],
      ['the same in small letters', 'http'],
      ['our own principal', 'kerbridge'],
      ['our own principal by case', 'KerBridge'],
      ['one of the configuration', 'bigadmin'],
      ['the same by case', 'BigAdmin'],
      ['one of the rules file', 'svc-vault7'],
    ])('stamped: %s', async (_name, user) => {
      await expectRefused('user-denied', { user });
    });

    it.each([
      ['a superuser', 'hdfs'],
      ['a superuser by case', 'HDFS'],
      ['another', 'hive'],
      ['our own principal', 'kerbridge'],
      ['our own principal by case', 'Kerbridge'],
      ['one of the configuration', 'bigadmin'],
      ['one of the rules file', 'svc-vault7'],
    ])('asked for, as the rules let it: %s', async (_name, doAs) => {
      await expectRefused('user-denied', { user: 'alice', doAs });
    });

    it('stamped with one of it, and asking to be somebody harmless', async () => {
      await expectRefused('user-denied', { user: 'hdfs', doAs: 'bob' });
    });
  });

  describe('rules', () => {
    it('a user that may not be in that namespace', async () => {
      await expectRefused('user-outside-namespace-rule', { user: 'alice', inNamespace: fenced });
    });

    it('the same, asking to be the user that may', async () => {
      await expectRefused('user-outside-namespace-rule', { user: 'alice', doAs: 'bob', inNamespace: fenced });
    });

    it.each([
      ['nobody may be', 'alice', 'user001'],
      ['only others may be', 'carol', 'bob'],
      ['may be only from another namespace', 'alice', 'carol'],
      ['is written otherwise', 'alice', 'Bob'],
      ['has a host', 'alice', 'bob/localhost'],
      ['has a realm', 'alice', 'bob@KERBRIDGE.TEST'],
      ['comes with another', 'alice', 'bob,hdfs'],
    ])('asking for a user that %s', async (_name, user, doAs) => {
      await expectRefused('do-as-not-allowed', { user, doAs });
    });

    it('200 with the right to it, and the tokens are that user’s', async () => {
      const { pod, serviceAccountToken } = await refusals.world.pod({ user: 'alice' });
      const answer = await askCredentials(refusals.serve, serviceAccountToken, { query: '?doAs=bob' });
      expect(answer.status).toBe(200);
      expect(answer.json).toMatchObject({ owner: 'bob' });
      const { tokens } = answer.json as { tokens: { owner: string }[] };
      expect(new Set(tokens.map(({ owner }) => owner))).toEqual(new Set(['bob']));
      const [line, ...more] = refusals.serve
        .auditLines()
        .filter((each) => each['doAs'] === 'bob' && each['status'] === 200);
      expect(more).toEqual([]);
      expect(line).toMatchObject({ decision: 'allowed', code: 'ok', pod, user: 'bob', doAs: 'bob' });
    });
  });

  describe('the rules file', () => {
    const fileOk = async (): Promise<string | undefined> => {
      const metrics = await (await fetch(`${refusals.serve.adminUrl}/metrics`)).text();
      return /^kerbridge_file_ok\{file="rules"\} (\d)$/m.exec(metrics)?.[1];
    };

    it.each([
      ['no YAML', 'rules: [', /identity\.rulesFile/],
      [
        'a rule that lets a pod be everybody',
        'version: 1\ndoAs: [{users: ["*"], by: [alice]}]\n',
        /would let a pod be everybody/,
      ],
    ])('broken at the start (%s): it ends with 2 and names the key', async (_name, text, problem) => {
      const { folder } = refusals.world;
      const broken = join(folder, 'broken-rules.yaml');
      await writeFile(broken, text);
      const file = join(folder, 'with-broken-rules.yaml');
      const { clusters } = refusals.config;
      const kubernetes = { kubeconfig: refusals.world.kubeconfig, audience: AUDIENCE };
      await writeFile(file, stringify({ clusters, kubernetes, identity: { rulesFile: broken } }));
      const { exitCode, out, error } = await kerbridge('serve', '--config', file);
      expect([exitCode, out]).toEqual([2, '']);
      expect(error).toContain('identity.rulesFile');
      expect(error).toMatch(problem);
    });

    it('broken while it runs: what it said before stays in force, then what it says when it is mended', async () => {
      expect(await fileOk()).toBe('1');
      // Without its fences and denials, were it understood in part.
      await replaceRules('version: 1\notherNamespaces: any\ndoAs: [{users: ["*"], by: [alice]}]\n');
      await waitFor(async () => (await fileOk()) === '0');
      const kept = refusals.serve
        .logLines()
        .filter(({ message }) => message === 'Changed file cannot be used; what it said before stays in use');
      expect(kept).toEqual([
        expect.objectContaining({
          level: 'warn',
          file: 'rules',
          problems: [expect.stringMatching(/^identity\.rulesFile: doAs\[0\]\.users\[0\]/)],
        }),
      ]);
      await expectRefused('user-outside-namespace-rule', { user: 'alice', inNamespace: fenced });
      await expectRefused('do-as-not-allowed', { user: 'alice', doAs: 'user001' });
      await expectRefused('user-denied', { user: 'svc-vault7' });
      const bob = await refusals.world.pod({ user: 'bob' }, { namespace: fenced });
      await refusals.expectAllowed(bob.serviceAccountToken);

      await replaceRules(stringify({ ...rules, denyUsers: ['carol'] }));
      await waitFor(async () => (await fileOk()) === '1');
      await expectRefused('user-denied', { user: 'carol' });
      await expectRefused('user-outside-namespace-rule', { user: 'alice', inNamespace: fenced });
    });
  });

  it('let nothing through, and the way was open', async () => {
    await refusals.expectOpenWay();
  });
});
