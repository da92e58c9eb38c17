import { CommanderError, Option } from 'commander';
import { addPort, asArgument, durationArgument, stackCommand } from './cli-options.ts';
import { shellExports } from './description.ts';
import { down } from './down.ts';
import { controllerAccounts } from './settings.ts';
import type { ControllerAccounts, StackOptions } from './settings.ts';
import { readStack, status } from './status.ts';
import type { PartStatus } from './status.ts';
import { up } from './up.ts';
import { UsageError } from './usage-error.ts';
import { messageOf } from './errors.ts';

interface DirOption {
  readonly dir?: string;
}

interface UpFlags extends DirOption {
  readonly ha?: boolean;
  readonly prometheus?: boolean;
  readonly controllers?: ControllerAccounts | false;
  readonly port?: StackOptions['ports'];
  readonly tokenRenewInterval?: number;
  readonly tokenMaxLifetime?: number;
}

const program = stackCommand('stack').description(
  'Real servers for tests and trying out, on loopback: KDC, secure HDFS, etcd and kube-apiserver.',
);
const dirOption = [
  '--dir <dir>',
  'state directory (default: $KERBRIDGE_STACK_DIR, else ~/.local/state/kerbridge/stack)',
] as const;

program
  .command('up')
  .description('start what is not running, mend what is broken, leave the rest alone')
  .option(...dirOption)
  .option('--ha', 'also a second HDFS with two NameNodes')
  .option('--no-ha', 'without it, when it runs')
  .option('--prometheus', 'also a Prometheus, which scrapes what files in $PROMETHEUS_TARGETS_DIR say')
  .option('--no-prometheus', 'without it, when it runs')
  .addOption(
    new Option(
      '--controllers [accounts]',
      'also a kube-controller-manager, each controller with an account of its own, or with the shared one',
    )
      .choices(controllerAccounts)
      .preset('own' satisfies ControllerAccounts),
  )
  .option('--no-controllers', 'without it, when it runs')
  .option('--port <name=number>', 'a port of your choice, repeatable; it is remembered', asArgument(addPort))
  .option(
    '--token-renew-interval <duration>',
    'of HDFS delegation tokens, as in 20s (first: 24h)',
    durationArgument,
  )
  .option(
    '--token-max-lifetime <duration>',
    'of HDFS delegation tokens, as in 10m (first: 7d)',
    durationArgument,
  )
  .action(async (flags: UpFlags) => {
    const { dir, ha, prometheus, controllers, port, tokenRenewInterval, tokenMaxLifetime } = flags;
    const stack = await up({
      ...(dir === undefined ? {} : { dir }),
      ...(ha === undefined ? {} : { ha }),
      ...(prometheus === undefined ? {} : { prometheus }),
      ...(controllers === undefined ? {} : { controllers }),
      ...(port === undefined ? {} : { ports: port }),
      ...(tokenRenewInterval === undefined ? {} : { tokenRenewIntervalMs: tokenRenewInterval }),
      ...(tokenMaxLifetime === undefined ? {} : { tokenMaxLifetimeMs: tokenMaxLifetime }),
    });
    process.stdout.write(
      `the stack is up in ${stack.dir}; eval "$(npm run -s stack -- env)" for its variables\n`,
    );
  });

program
  .command('down')
  .description('end every process of the stack and remove its data; logs and ports are kept')
  .option(...dirOption)
  .option('--purge', 'remove the state directory too')
  .action(async (options: DirOption & { readonly purge?: boolean }) => {
    await down(options);
  });

program
  .command('status')
  .description('ask every part whether it works; exit code 0 when all do')
  .option(...dirOption)
  .option('--json', 'for programs')
  .action(async ({ json, ...options }: DirOption & { readonly json?: boolean }) => {
    const answer = await status(options);
    const text =
      json === true ? JSON.stringify(answer, undefined, 2) : answer.parts.map(statusLine).join('\n');
    process.stdout.write(`${text}\n`);
    process.exitCode = answer.up ? 0 : 1;
  });

program
  .command('env')
  .description('print shell exports for the running stack')
  .option(...dirOption)
  .action(async ({ dir }: DirOption) => {
    process.stdout.write(shellExports((await readStack(dir)).env));
  });

function statusLine({ part, state, problem, pid, ports, startedAt }: PartStatus): string {
  const where = Object.entries(ports ?? {}).map(([name, port]) => `${name}=${port}`);
  return [
    part.padEnd(23),
    state.padEnd(9),
    pid === undefined ? '' : `pid ${pid}`,
    startedAt === undefined ? '' : `since ${new Date(startedAt).toISOString()}`,
    ...where,
    problem === undefined ? '' : `(${problem})`,
  ]
    .filter((field) => field !== '')
    .join('  ');
}

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    // Commander has said what is wrong, or printed the help that was asked for.
    process.exitCode = error.exitCode === 0 ? 0 : 2;
  } else {
    process.stderr.write(`stack: ${messageOf(error)}\n`);
    process.exitCode = error instanceof UsageError ? 2 : 1;
  }
}
