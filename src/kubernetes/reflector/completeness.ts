/** Questions without a proof; older ones are forgotten, which only delays the proof. */
const MAX_QUESTIONS = 10;

/**
 * Up to when all that happened is known to have been told by the watch. When an event arrives doesn't say that: it may have
 * been held up on the way, or by an API server that has fallen behind etcd.
 *
 * The proof is a version that the API server named when it was asked for the state of now: once the watch is there too,
 * nothing from before the question is missing. Versions of one resource are ordered as integers: documented for all that
 * kube-apiserver serves since Kubernetes 1.35 ("API concepts", KEP-5504), and true of it before, as they are revisions of
 * etcd. A version that is no integer proves nothing.
 */
export class Completeness<Moment> {
  #until: Moment | undefined;
  #questions: { readonly version: bigint; readonly askedAt: Moment }[] = [];

  /** undefined: nothing is complete. */
  get until(): Moment | undefined {
    return this.#until;
  }

  /** Everything was read anew, by a list that was begun then. */
  restart(listBegunAt: Moment): void {
    this.#until = listBegunAt;
    this.#questions = [];
  }

  /** The API server is at this version, or further; it was asked then. */
  learn(version: string, askedAt: Moment): void {
    const read = toInteger(version);
    if (read === undefined) return;
    this.#questions.push({ version: read, askedAt });
    if (this.#questions.length > MAX_QUESTIONS) this.#questions.shift();
  }

  /** All up to this version has been told. */
  reach(version: string): void {
    const read = toInteger(version);
    if (read === undefined) return;
    const reached = this.#questions.findLastIndex((question) => question.version <= read);
    const question = this.#questions[reached];
    if (question === undefined) return;
    this.#until = question.askedAt;
    this.#questions = this.#questions.slice(reached + 1);
  }
}

function toInteger(version: string): bigint | undefined {
  return /^[1-9]\d{0,39}$/.test(version) ? BigInt(version) : undefined;
}
