/** What libuv's threads are at. */
const THREAD_WORK = /^(?:FSReq|FileHandle|GetAddrInfo|GetNameInfo)/u;

/**
 * Ends this process at once with the exit code. `process.exit` would wait for the threads that read files and look up
 * names, and a read of a FIFO or of a hung NFS never ends: then another program takes this one's place, and the kernel ends the threads.
 */
export function endProcess(code: number): never {
  if (
    process.execve !== undefined &&
    process.getActiveResourcesInfo().some((name) => THREAD_WORK.test(name))
  ) {
    process.execve(process.execPath, [process.execPath, '--eval', `process.exitCode = ${code}`], {});
  }
  process.exit(code);
}
