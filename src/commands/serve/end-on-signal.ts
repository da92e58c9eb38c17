type Signals = Pick<NodeJS.EventEmitter, 'once' | 'off'> & { readonly exit: (code: number) => void };

/**
 * Until there is something to shut down in order, SIGTERM and SIGINT end the process. Without a handler nothing would in a
 * container: the kernel spares process 1 what it has no handler for.
 * @returns what takes the handlers away
 */
export function endOnSignal(process: Signals, exitCode: number): () => void {
  const end = (): void => process.exit(exitCode);
  process.once('SIGTERM', end);
  process.once('SIGINT', end);
  return () => {
    process.off('SIGTERM', end);
    process.off('SIGINT', end);
  };
}
