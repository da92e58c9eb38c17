import { constants, createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { ConfigError, type ConfigProblem } from '../../config/config-problem.ts';
import { type FileAccess, WatchedFile } from '../../config/watched-file.ts';
import { errorCode } from '../../observability/error-code.ts';
import { Secret } from '../../observability/secret.ts';
import type { Clock } from '../../time/clock.ts';

/** Certificate and key that fit each other, in PEM. Times in ms since the epoch. */
export interface TlsPair {
  /** The server's own certificate, then the intermediate ones. */
  readonly certificates: string;
  readonly key: Secret<string>;
  readonly notBefore: number;
  readonly notAfter: number;
}

/** `used`: the files hold `current`, which is another pair now, or was kept meanwhile. `kept`: the files hold one that is not used, for these reasons. */
export type TlsCertificateEvent =
  | { readonly event: 'used'; readonly pair: TlsPair }
  | { readonly event: 'kept'; readonly problems: readonly ConfigProblem[] };

export interface TlsCertificateOptions {
  readonly certFile: string;
  readonly keyFile: string;
  readonly clock: Clock;
  readonly files?: FileAccess;
}

const CERT_KEY = 'listen.tls.certFile';
const KEY_KEY = 'listen.tls.keyFile';
/** PKCS 8, and the older form of OpenSSL. */
const ENCRYPTED = /^(?:-----BEGIN ENCRYPTED PRIVATE KEY-----|Proc-Type: 4,ENCRYPTED)/m;
const MIN_RSA_BITS = 2048;
/** Those for which TLS 1.2 and 1.3 have signatures. */
const EC_CURVES: readonly (string | undefined)[] = ['prime256v1', 'secp384r1', 'secp521r1'];
/**
 * No renegotiation: it lets a client make us compute, and nobody needs it. No session tickets: pods come once in hours,
 * so they would win nothing, and the key of the tickets would open recorded connections of TLS 1.2.
 */
const SECURE_OPTIONS = constants.SSL_OP_NO_RENEGOTIATION | constants.SSL_OP_NO_TICKET;
/** Waited for in steps: a longer timer of Node's fires at once. */
const MAX_SLEEP_MS = 86_400_000;

/**
 * The certificate that we show, followed while its files change. Files that can't be used leave the pair before them in
 * use. So does a pair that is not yet or no longer valid, while the one before it is: the former is taken when its time
 * comes.
 *
 * At the start there is nothing before it, so a pair that is not valid is used, with a warning: no client takes it, but
 * neither would a client reach a server that doesn't start, and this one takes the new certificate as soon as it comes.
 */
export class TlsCertificate {
  readonly #files: WatchedFile<TlsPair>;
  readonly #clock: Clock;
  readonly #stopped = new AbortController();
  #current: TlsPair;
  #ok = true;
  #listener: ((event: TlsCertificateEvent) => void) | undefined;

  private constructor(files: WatchedFile<TlsPair>, clock: Clock) {
    this.#files = files;
    this.#clock = clock;
    this.#current = files.current;
  }

  /** Rejects with a {@link ConfigError} of all problems, below `listen.tls`. Must be stopped. */
  static async open({ certFile, keyFile, ...options }: TlsCertificateOptions): Promise<TlsCertificate> {
    let tell: (problems: readonly ConfigProblem[]) => void = () => undefined;
    const files = await WatchedFile.openGroup({
      ...options,
      paths: [certFile, keyFile],
      parse: ([certificates = '', key = '']) => parseTlsPair(certificates, key),
      onChange: (_outcome, problems) => tell(problems),
    }).catch((error: unknown) => {
      throw error instanceof ConfigError ? new ConfigError(error.problems.map(named)) : error;
    });
    const opened = new TlsCertificate(files, options.clock);
    tell = (problems) => opened.#onChange(problems);
    return opened;
  }

  get current(): TlsPair {
    return this.#current;
  }

  /** What is wrong with `current` now, for a log. */
  get warning(): string | undefined {
    return validityProblem(this.#current, this.#clock.now());
  }

  /** `ok` is false while the files hold something else than `current`. */
  state(): { readonly ok: boolean } {
    return { ok: this.#ok };
  }

  /** Tells `listener` from now on. One listener, which must not throw. */
  follow(listener: (event: TlsCertificateEvent) => void): void {
    this.#listener = listener;
  }

  stop(): void {
    this.#stopped.abort();
    this.#files.stop();
  }

  #onChange(problems: readonly ConfigProblem[]): void {
    if (problems.length > 0) this.#tell({ event: 'kept', problems: problems.map(named) });
    else this.#consider(this.#files.current);
  }

  #consider(pair: TlsPair): void {
    const now = this.#clock.now();
    const problem = validityProblem(pair, now);
    // Also when it is the old pair that was put back: whoever heard of `kept` must hear that it is over.
    if (problem === undefined || this.warning !== undefined) {
      this.#current = pair;
      this.#tell({ event: 'used', pair });
      return;
    }
    this.#tell({ event: 'kept', problems: [{ path: CERT_KEY, message: problem }] });
    if (pair.notBefore > now) void this.#waitFor(pair);
  }

  /** Until `pair` is valid; by then the files may hold another one. */
  async #waitFor(pair: TlsPair): Promise<void> {
    const { signal } = this.#stopped;
    try {
      while (this.#clock.now() < pair.notBefore) {
        await this.#clock.sleep(Math.min(pair.notBefore - this.#clock.now(), MAX_SLEEP_MS), signal);
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
    if (!signal.aborted && pair === this.#files.current && pair !== this.#current) this.#consider(pair);
  }

  #tell(event: TlsCertificateEvent): void {
    this.#ok = event.event === 'used';
    this.#listener?.(event);
  }
}

/** What OpenSSL is given. One place, because a change of the certificate must give it all of this again. */
export function secureContextOptions({ certificates, key }: TlsPair): {
  readonly cert: string;
  readonly key: string;
  readonly minVersion: 'TLSv1.2';
  readonly secureOptions: number;
} {
  return { cert: certificates, key: key.reveal(), minVersion: 'TLSv1.2', secureOptions: SECURE_OPTIONS };
}

/**
 * Checks all that can be seen without the time.
 * @throws {ConfigError} that quotes neither file
 */
export function parseTlsPair(certificates: string, key: string): TlsPair {
  const leaf = readCertificate(certificates);
  const privateKey = readPrivateKey(key);
  if (typeof leaf === 'string' || typeof privateKey === 'string') {
    throw new ConfigError([
      ...(typeof leaf === 'string' ? [{ path: CERT_KEY, message: leaf }] : []),
      ...(typeof privateKey === 'string' ? [{ path: KEY_KEY, message: privateKey }] : []),
    ]);
  }
  const pair = {
    certificates,
    key: new Secret(key),
    notBefore: leaf.validFromDate.getTime(),
    notAfter: leaf.validToDate.getTime(),
  };
  const problem = pairProblem(leaf, privateKey) ?? contextProblem(pair);
  if (problem !== undefined) throw new ConfigError([problem]);
  return pair;
}

function readCertificate(pem: string): X509Certificate | string {
  try {
    return new X509Certificate(pem);
  } catch {
    return 'holds no certificate in PEM';
  }
}

function readPrivateKey(pem: string): KeyObject | string {
  if (ENCRYPTED.test(pem)) {
    return (
      'is encrypted, and nobody is here to type the passphrase: decrypt it (openssl pkey -in … -out …), and protect ' +
      'the file by who may read it'
    );
  }
  try {
    return createPrivateKey(pem);
  } catch {
    return 'holds no private key in PEM';
  }
}

function pairProblem(leaf: X509Certificate, key: KeyObject): ConfigProblem | undefined {
  if (!leaf.checkPrivateKey(key)) {
    return {
      path: KEY_KEY,
      message:
        'is not the key of the first certificate of listen.tls.certFile: give the two that were made together, and ' +
        'in a chain the certificate of this server first',
    };
  }
  const { asymmetricKeyType: type, asymmetricKeyDetails: { modulusLength = 0, namedCurve } = {} } = key;
  const isStrong =
    (type === 'rsa' && modulusLength >= MIN_RSA_BITS) ||
    (type === 'ec' && EC_CURVES.includes(namedCurve)) ||
    type === 'ed25519';
  if (isStrong) return undefined;
  return {
    path: KEY_KEY,
    message: `must be RSA of at least ${MIN_RSA_BITS} bits, EC (P-256, P-384, P-521) or Ed25519`,
  };
}

/** Certificates after the first, and whatever else OpenSSL has to say: here, not when a client comes. */
function contextProblem(pair: TlsPair): ConfigProblem | undefined {
  try {
    createSecureContext(secureContextOptions(pair));
    return undefined;
  } catch (error) {
    return {
      path: CERT_KEY,
      message: `is refused by OpenSSL (${errorCode(error)}): check every certificate in it`,
    };
  }
}

function validityProblem({ notBefore, notAfter }: TlsPair, now: number): string | undefined {
  if (now < notBefore) return `is not valid before ${new Date(notBefore).toISOString()}`;
  if (now > notAfter) return `expired at ${new Date(notAfter).toISOString()}: renew it`;
  return undefined;
}

/** A file that can't be read is a problem of the pair; its path is in the message. */
function named({ path, message }: ConfigProblem): ConfigProblem {
  return { path: path === '' ? 'listen.tls' : path, message };
}
