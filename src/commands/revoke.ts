import { Command, InvalidArgumentError, Option } from 'commander';
import { MAX_DURATION_MS, parseDuration } from '../config/duration.ts';
import { compileUserPattern } from '../identity/user-name.ts';
import {
  type KubernetesOptions,
  kubernetesOptions,
  type ObjectId,
  OPERATOR_EXIT_HELP,
  parseNamespace,
  parseObjectId,
  parseObjectName,
} from './operator/operator-command.ts';
import type { RevokeRequest } from './revoke/run-revoke.ts';
import { processTerminal, type Terminal } from './terminal.ts';

interface RevokeOptions extends KubernetesOptions {
  readonly user?: string;
  readonly pod?: ObjectId;
  readonly uid?: string;
  readonly for?: number;
  readonly reason?: string;
  readonly undo?: true;
  readonly list?: true;
  readonly namespace: string;
  readonly configMap: string;
  readonly json?: true;
}

/** `kerbridge revoke`: hand nothing more to a user or a pod. */
export function revokeCommand(terminal: Terminal = processTerminal): Command {
  const command = new Command('revoke')
    .description('hand no more Hadoop delegation tokens to a user or a pod')
    .addOption(
      new Option('--user <name>', 'Hadoop user, short name').argParser(parseUser).conflicts(['pod', 'uid']),
    )
    .addOption(new Option('--pod <namespace/name>', 'one pod').argParser(parseObjectId))
    .addOption(new Option('--uid <uid>', 'UID of the pod, if it is gone already').argParser(parseUid))
    .addOption(
      new Option('--for <duration>', 'how long, for example 8h (default: until --undo)').argParser(
        parseDurationOption,
      ),
    )
    .addOption(new Option('--reason <text>', 'shown by --list').argParser(parseReason))
    .addOption(new Option('--undo', 'take the revocation back').conflicts(['for', 'reason']))
    .addOption(
      new Option('--list', 'show what is in force').conflicts([
        'user',
        'pod',
        'uid',
        'for',
        'reason',
        'undo',
      ]),
    );
  for (const option of kubernetesOptions()) command.addOption(option);
  return command
    .addOption(
      new Option('--namespace <name>', 'namespace of kerbridge')
        .argParser(parseNamespace)
        .default('kerbridge'),
    )
    .addOption(
      new Option('--config-map <name>', 'identity.revocationsConfigMap of serve')
        .argParser(parseObjectName)
        .default('kerbridge-revocations'),
    )
    .option('--json', 'print JSON')
    .addHelpText('after', OPERATOR_EXIT_HELP)
    .action(async (options: RevokeOptions) => {
      const { kubeconfig, context, namespace, configMap, json = false } = options;
      const request = requestOf(options) ?? command.error('error: name --user, --pod or --list');
      // Loaded only here: `kerbridge fetch` runs in every pod and needs none of it.
      const { revokeWithKubeconfig } = await import('./revoke/run-revoke.ts');
      terminal.exitWith(
        await revokeWithKubeconfig(
          { kubeconfig, ...(context === undefined ? {} : { context }) },
          { request, configMap: { namespace, name: configMap }, json },
          terminal,
        ),
      );
    });
}

function requestOf({ user, pod, uid, list, undo, ...terms }: RevokeOptions): RevokeRequest | undefined {
  if (list === true) return { action: 'list' };
  const subject =
    user !== undefined
      ? { user }
      : pod !== undefined
        ? { pod: { ...pod, ...(uid === undefined ? {} : { uid }) } }
        : undefined;
  if (subject === undefined) return undefined;
  return undo === true
    ? { action: 'undo', subject }
    : { action: 'revoke', subject, forMs: terms.for, reason: terms.reason };
}

function parseUser(text: string): string {
  const judge = compileUserPattern();
  if (judge(text) === 'valid') return text;
  const short = text.split(/[/@]/)[0] ?? '';
  const meant = judge(short) === 'valid' ? `, here perhaps ${short}` : '';
  throw new InvalidArgumentError(`want the short name that Hadoop knows${meant}; no realm, no pattern`);
}

function parseUid(text: string): string {
  if (!/^[A-Za-z0-9-]{1,128}$/.test(text)) {
    throw new InvalidArgumentError('want metadata.uid of the pod; the audit line of a request has it');
  }
  return text;
}

function parseDurationOption(text: string): number {
  const ms = parseDuration(text);
  if (ms === undefined) {
    const days = Math.floor(MAX_DURATION_MS / 86_400_000);
    throw new InvalidArgumentError(
      `want a whole number and a unit (s, m, h, d), at most ${days}d; leave it out for "until --undo"`,
    );
  }
  return ms;
}

function parseReason(text: string): string {
  if (!/^[\p{L}\p{M}\p{N}\p{P}\p{S} ]{1,200}$/u.test(text)) {
    throw new InvalidArgumentError('want one line of at most 200 printable characters');
  }
  return text;
}
