import { systemClock } from '../../src/time/clock.ts';

/** Takes one line about what is going on. */
export type Progress = (line: string) => void;

export const toStderr: Progress = (line) => {
  process.stderr.write(`stack: ${line}\n`);
};

export const silent: Progress = () => {};

/** Says that a long work began, that it goes on (every 15 s), and how long it took. */
export async function withElapsedTime<T>(
  progress: Progress,
  what: string,
  work: () => Promise<T>,
): Promise<T> {
  const startedAt = systemClock.now();
  const seconds = (): string => `${Math.round((systemClock.now() - startedAt) / 1000)} s`;
  progress(`${what} ...`);
  const timer = setInterval(() => progress(`${what} ... ${seconds()}`), 15_000);
  try {
    const result = await work();
    progress(`${what}: done after ${seconds()}`);
    return result;
  } finally {
    clearInterval(timer);
  }
}
