import {
  createHash,
  createPrivateKey,
  generateKeyPairSync,
  randomBytes,
  type KeyObject,
  sign,
  X509Certificate,
} from 'node:crypto';
import { isIP } from 'node:net';
import { AsnConvert, OctetString } from '@peculiar/asn1-schema';
import {
  AlgorithmIdentifier,
  AttributeTypeAndValue,
  AttributeValue,
  AuthorityKeyIdentifier,
  BasicConstraints,
  Certificate,
  ExtendedKeyUsage,
  Extension,
  Extensions,
  GeneralName,
  id_ce_authorityKeyIdentifier,
  id_ce_basicConstraints,
  id_ce_extKeyUsage,
  id_ce_keyUsage,
  id_ce_subjectAltName,
  id_ce_subjectKeyIdentifier,
  id_kp_serverAuth,
  KeyIdentifier,
  KeyUsage,
  KeyUsageFlags,
  Name,
  RelativeDistinguishedName,
  SubjectAlternativeName,
  SubjectKeyIdentifier,
  SubjectPublicKeyInfo,
  TBSCertificate,
  Validity,
  Version,
} from '@peculiar/asn1-x509';
import { Secret } from '../../observability/secret.ts';

/** Certificate and its key, in PEM. */
export interface IssuedCertificate {
  readonly certificate: string;
  readonly key: Secret<string>;
}

/** Times in ms since the epoch, as whole seconds: certificates know no less. */
export interface CertificateRequest {
  readonly notBefore: number;
  readonly notAfter: number;
  /** 16 random bytes: the serial number, and for an authority its name. */
  readonly serial: Buffer;
}

/** ECDSA with SHA-256 (RFC 5758), on P-256: what every client of TLS takes. */
const ECDSA_WITH_SHA256 = new AlgorithmIdentifier({ algorithm: '1.2.840.10045.4.3.2' });
const COMMON_NAME = '2.5.4.3';

/** A certificate authority of its own, that signs for servers only and makes no further authorities. */
export function issueAuthority(request: CertificateRequest): IssuedCertificate {
  const keys = generateKeys();
  // Of its own: two authorities of one name would be hard to tell apart for who builds a chain.
  const name = nameOf(`Kerbridge webhook CA ${request.serial.toString('hex').slice(0, 12)}`);
  return issue(request, {
    keys,
    subject: name,
    issuer: name,
    signingKey: keys.privateKey,
    extensions: [
      extension(id_ce_basicConstraints, new BasicConstraints({ cA: true, pathLenConstraint: 0 }), true),
      extension(id_ce_keyUsage, new KeyUsage(KeyUsageFlags.keyCertSign), true),
      extension(id_ce_subjectKeyIdentifier, new SubjectKeyIdentifier(keyIdOf(keys.publicKey))),
    ],
  });
}

/** @param names DNS names and IP addresses. Go looks at these only, never at the subject. */
export function issueServing(
  request: CertificateRequest & { readonly names: readonly string[] },
  authority: IssuedCertificate,
): IssuedCertificate {
  const keys = generateKeys();
  const by = new X509Certificate(authority.certificate);
  return issue(request, {
    keys,
    subject: nameOf('Kerbridge webhook'),
    issuer: AsnConvert.parse(by.raw, Certificate).tbsCertificate.subject,
    signingKey: createPrivateKey(authority.key.reveal()),
    extensions: [
      extension(id_ce_basicConstraints, new BasicConstraints({ cA: false }), true),
      extension(id_ce_keyUsage, new KeyUsage(KeyUsageFlags.digitalSignature), true),
      extension(id_ce_extKeyUsage, new ExtendedKeyUsage([id_kp_serverAuth])),
      extension(id_ce_subjectKeyIdentifier, new SubjectKeyIdentifier(keyIdOf(keys.publicKey))),
      extension(
        id_ce_authorityKeyIdentifier,
        new AuthorityKeyIdentifier({ keyIdentifier: new KeyIdentifier(keyIdOf(by.publicKey)) }),
      ),
      extension(
        id_ce_subjectAltName,
        new SubjectAlternativeName(
          request.names.map((name) =>
            isIP(name) === 0 ? new GeneralName({ dNSName: name }) : new GeneralName({ iPAddress: name }),
          ),
        ),
      ),
    ],
  });
}

/** The random part comes from the machine. */
export const issuer = {
  authority: issueAuthority,
  serving: issueServing,
  newSerial: () => randomBytes(16),
} as const;

interface Contents {
  readonly keys: { readonly publicKey: KeyObject; readonly privateKey: KeyObject };
  readonly subject: Name;
  readonly issuer: Name;
  readonly signingKey: KeyObject;
  readonly extensions: readonly Extension[];
}

function issue({ notBefore, notAfter, serial }: CertificateRequest, contents: Contents): IssuedCertificate {
  const tbsCertificate = new TBSCertificate({
    version: Version.v3,
    serialNumber: positive(serial),
    signature: ECDSA_WITH_SHA256,
    issuer: contents.issuer,
    validity: new Validity({ notBefore: new Date(notBefore), notAfter: new Date(notAfter) }),
    subject: contents.subject,
    subjectPublicKeyInfo: AsnConvert.parse(spkiOf(contents.keys.publicKey), SubjectPublicKeyInfo),
    extensions: new Extensions([...contents.extensions]),
  });
  const signature = sign('sha256', Buffer.from(AsnConvert.serialize(tbsCertificate)), contents.signingKey);
  const certificate = new Certificate({
    tbsCertificate,
    signatureAlgorithm: ECDSA_WITH_SHA256,
    signatureValue: bytesOf(signature),
  });
  return {
    // By OpenSSL, so that what we hand out is what it reads.
    certificate: new X509Certificate(Buffer.from(AsnConvert.serialize(certificate))).toString(),
    key: new Secret(contents.keys.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()),
  };
}

function generateKeys(): Contents['keys'] {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' });
}

function nameOf(commonName: string): Name {
  const value = new AttributeValue({ utf8String: commonName });
  return new Name([new RelativeDistinguishedName([new AttributeTypeAndValue({ type: COMMON_NAME, value })])]);
}

function extension(extnID: string, value: object, critical = false): Extension {
  return new Extension({ extnID, critical, extnValue: new OctetString(AsnConvert.serialize(value)) });
}

/** RFC 5280, 4.2.1.2: any digest of the key that is always the same. */
function keyIdOf(publicKey: KeyObject): ArrayBuffer {
  return bytesOf(createHash('sha256').update(spkiOf(publicKey)).digest().subarray(0, 20));
}

function spkiOf(key: KeyObject): Buffer {
  return key.export({ type: 'spki', format: 'der' });
}

/** The first bit is the sign, and a first byte of zeros would not be DER. */
function positive(serial: Buffer): ArrayBuffer {
  const bytes = Buffer.from(serial);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytesOf(bytes);
}

function bytesOf(buffer: Buffer): ArrayBuffer {
  return Uint8Array.from(buffer).buffer;
}
