// `kerbridge serve` that dies by SIGKILL when a step in the life of a token has been made for the DIE_TIMES-th time:
//   DIE_AT=STEP DIE_TIMES=1 node serve-that-dies.ts serve --config FILE
import { runServe } from '../../../src/commands/serve/run-serve.ts';
import { processTerminal } from '../../../src/commands/terminal.ts';

const { DIE_AT = '', DIE_TIMES = '1' } = process.env;
const config = process.argv.at(-1);
if (DIE_AT === '' || config === undefined) throw new Error('DIE_AT and --config FILE');
let times = 0;
await runServe({ config }, processTerminal, {
  onLifeStep: (step) => {
    if (step === DIE_AT) times += 1;
    if (step === DIE_AT && times === Number(DIE_TIMES)) process.kill(process.pid, 'SIGKILL');
  },
});
