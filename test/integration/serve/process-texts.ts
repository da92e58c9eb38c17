import { readFile } from 'node:fs/promises';

/** What everybody on the machine, or at least the same user, can read of a process and of its children. */
export async function processTexts(pid: number, who = 'serve'): Promise<[where: string, content: string][]> {
  const read = (file: string): Promise<string> => readFile(`/proc/${pid}/${file}`, 'latin1');
  const texts: [string, string][] = [
    [`title of ${who}`, await read('comm')],
    [`arguments of ${who}`, await read('cmdline')],
    [`environment of ${who}`, await read('environ')],
  ];
  const children = (await read(`task/${pid}/children`)).split(' ').filter((child) => child !== '');
  for (const child of children) texts.push(...(await processTexts(Number(child), 'a child')));
  return texts;
}
