import type { ApiObject, Reply } from '../api-caller.ts';
import type { ForgeryWorld } from './forgery-world.ts';

/** Something that a person, a node or a controller tries. Each run makes its own objects. */
export interface Attempt {
  readonly title: string;
  readonly run: (world: ForgeryWorld) => Promise<Reply>;
}

/** What is tried on a stamped pod: whoever has the stamp made, and whether policies or webhooks look on. */
export interface PodAttempt extends Attempt {
  readonly run: (world: Pick<ForgeryWorld, 'api' | 'createPod'>) => Promise<Reply>;
}

/** One ValidatingAdmissionPolicy and what it is there for. */
export interface PolicyTable {
  /** The name of the policy and of its binding. */
  readonly policy: string;
  /** What the refusal has to say, beside the policy's name: what to do instead. */
  readonly advice: string;
  /** Refused by this policy alone: without its binding each of them succeeds. */
  readonly refused: readonly Attempt[];
  /** Whether the object that came of a refused attempt, where nothing refused it, is what the policy is there against. */
  readonly forged: (object: ApiObject) => boolean;
  /** What looks alike and has to go on. */
  readonly allowed: readonly Attempt[];
}
