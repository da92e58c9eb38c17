import { CommanderError } from 'commander';
import { stackCommand } from '../cli-options.ts';
import { readStack } from '../status.ts';
import { runHadoopFs } from './hadoop-fs.ts';
import { messageOf } from '../errors.ts';

interface Flags {
  readonly dir?: string;
  readonly confDir?: string;
  readonly tokenFile?: string;
  readonly coreSite?: Readonly<Record<string, string>>;
}

function addProperty(text: string, before: Readonly<Record<string, string>> = {}): Record<string, string> {
  const at = text.indexOf('=');
  return { ...before, [text.slice(0, at < 0 ? text.length : at)]: at < 0 ? '' : text.slice(at + 1) };
}

const program = stackCommand('hadoop-fs')
  .description('Run the real Hadoop client with a token file and nothing else, as a pod would.')
  .usage('[options] -- -ls /user/alice')
  .argument('<args...>', 'what follows "hadoop fs"')
  .option('--dir <dir>', 'state directory of the stack')
  .option('--conf-dir <dir>', "Hadoop client configuration (default: the stack's plain HDFS)")
  .option('--token-file <file>', 'becomes HADOOP_TOKEN_FILE_LOCATION')
  .option('--core-site <name=value>', 'a property over those of core-site.xml, repeatable', addProperty)
  .action(async (args: string[], { dir, confDir, tokenFile, coreSite }: Flags) => {
    const stack = await readStack(dir);
    const result = await runHadoopFs(stack, {
      confDir: confDir ?? stack.hdfs.confDir,
      args,
      ...(tokenFile === undefined ? {} : { tokenFile }),
      ...(coreSite === undefined ? {} : { coreSite }),
    });
    process.stdout.write(result.stdout);
    process.stderr.write(result.stderr);
    process.exitCode = result.exitCode;
  });

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) {
    process.stderr.write(`hadoop-fs: ${messageOf(error)}\n`);
  }
  process.exitCode = error instanceof CommanderError ? (error.exitCode === 0 ? 0 : 2) : 1;
}
