/** Where a command writes for people, and how it ends. */
export interface Terminal {
  readonly out: (text: string) => void;
  readonly error: (text: string) => void;
  readonly exitWith: (code: number) => void;
}

export const processTerminal: Terminal = {
  out: (text) => process.stdout.write(text),
  error: (text) => process.stderr.write(text),
  exitWith: (code) => {
    process.exitCode = code;
  },
};
