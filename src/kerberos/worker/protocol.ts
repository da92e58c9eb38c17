/** What the parent asks of the worker over IPC: one GSS step. */
export interface WorkerRequest {
  readonly id: number;
  /** `HTTP@host`. */
  readonly service: string;
  /** `name[/instance]@REALM`. */
  readonly principal: string;
}

/** What the worker says back; `unusable` comes once, unasked, when GSS can't be loaded at all. */
export type WorkerReply =
  | { readonly type: 'token'; readonly id: number; readonly token: string }
  | { readonly type: 'refused'; readonly id: number; readonly message: string }
  | { readonly type: 'unusable'; readonly message: string };

/** Microsoft's limit for a ticket with many groups (MaxTokenSize) is 48,000 bytes. */
const MAX_TOKEN_LENGTH = 128 * 1024;
const MAX_MESSAGE_LENGTH = 1000;
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/u;
const CONTROL_CHARACTERS = /\p{Cc}+/gu;

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null;

const readMessage = (text: string): string =>
  text.slice(0, MAX_MESSAGE_LENGTH).replaceAll(CONTROL_CHARACTERS, ' ');

/** Reads what came over IPC; undefined for anything that is no reply. */
export const parseWorkerReply = (value: unknown): WorkerReply | undefined => {
  if (!isRecord(value)) {
    return undefined;
  }
  const { type, id, token, message } = value;
  if (type === 'unusable' && typeof message === 'string') {
    return { type, message: readMessage(message) };
  }
  if (typeof id !== 'number') {
    return undefined;
  }
  if (type === 'token' && typeof token === 'string') {
    return token.length <= MAX_TOKEN_LENGTH && BASE64.test(token) ? { type, id, token } : undefined;
  }
  if (type === 'refused' && typeof message === 'string') {
    return { type, id, message: readMessage(message) };
  }
  return undefined;
};

/** Reads what came over IPC; undefined for anything that is no request. */
export const parseWorkerRequest = (value: unknown): WorkerRequest | undefined => {
  if (!isRecord(value)) {
    return undefined;
  }
  const { id, service, principal } = value;
  return typeof id === 'number' && typeof service === 'string' && typeof principal === 'string'
    ? { id, service, principal }
    : undefined;
};
