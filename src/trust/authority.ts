/**
 * The certificate authority of one fleet. Its key signs what the control plane decides; whom a certificate is for is
 * decided there, never by the request: that only proves who has the key. Loading this file is not cheap: see x509.ts.
 */
import { createHash, randomBytes } from 'node:crypto';
import { isIP } from 'node:net';
import { ValkeeperError } from '../domain/errors.ts';
import { isName } from '../domain/ids.ts';
import { fingerprintOf } from './bundle.ts';
import { commonNameOf, type Identity, uriOf } from './identity.ts';
import { BACKDATED_MS } from './limits.ts';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  Pkcs10CertificateRequest,
  type PublicKey,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from './x509.ts';

const DAY_MS = 24 * 3_600_000;
const AUTHORITY_VALIDITY_MS = 3_652 * DAY_MS;
/** Of what it issues, unless the order says otherwise. */
const CERTIFICATE_VALIDITY_MS = 30 * DAY_MS;
/** Random, so that nobody can guess the next one; X.509 takes 160 bits at the most. */
const SERIAL_BYTES = 16;
/** Far more than one for a P-256 key needs. */
const MAX_REQUEST_CHARS = 4_096;
const MAX_SUBJECT_NAMES = 32;

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

/** An authority as it is kept. The key is the root of all trust in a fleet: who has it can be anybody. */
export interface AuthorityPems {
  readonly certificate: string;
  /** PKCS #8. */
  readonly key: string;
}

/** What a request says and proves. */
export interface SigningRequest {
  readonly commonName: string;
  /** SHA-256 of the public key, in hexadecimal digits: tells one key from another. */
  readonly keyId: string;
  readonly publicKey: PublicKey;
}

export interface Order {
  readonly request: SigningRequest;
  readonly identity: Identity;
  /** IPv4 or IPv6. */
  readonly addresses: readonly string[];
  /** Names in DNS under which it is reached, if any. */
  readonly hostNames?: readonly string[];
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly validityMs?: number;
}

export interface Issued {
  /** PEM. */
  readonly certificate: string;
  /** Hexadecimal digits in upper case, as the engine's `INFO tls` and Node show it. */
  readonly serial: string;
  readonly notAfter: number;
}

export interface Authority {
  /** PEM. */
  readonly certificate: string;
  /** See `fingerprintOf`. */
  readonly fingerprint: string;
  /** @throws certificate_request_invalid, invalid_value */
  issue(order: Order): Promise<Issued>;
}

/** A new authority, valid for ten years. The caller keeps it, and gives it to `openAuthority`. */
export async function createAuthority(now: number): Promise<AuthorityPems> {
  const keys = await crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: randomSerial(),
    // Its own name: of two authorities with one name, OpenSSL could take the wrong one for the issuer.
    name: [{ O: ['Valkeeper'] }, { CN: [`Valkeeper authority ${randomBytes(4).toString('hex')}`] }],
    notBefore: new Date(now - BACKDATED_MS),
    notAfter: new Date(now + AUTHORITY_VALIDITY_MS),
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  const key = await crypto.subtle.exportKey('pkcs8', keys.privateKey);
  return { certificate: `${certificate.toString('pem')}\n`, key: `${PemConverter.encode(key, 'PRIVATE KEY')}\n` };
}

/** The authority that was kept. @throws authority_damaged when the PEMs cannot be read or do not fit each other */
export async function openAuthority(pems: AuthorityPems): Promise<Authority> {
  try {
    const certificate = new X509Certificate(pems.certificate);
    const signingKey = await importKey(pems.key, certificate);
    const issue = (order: Order): Promise<Issued> => issueBy(certificate, signingKey, order);
    return { certificate: pems.certificate, fingerprint: fingerprintOf(pems.certificate), issue };
  } catch (error) {
    throw new ValkeeperError('authority_damaged', { problem: (error as Error).message }, { cause: error });
  }
}

async function importKey(pem: string, certificate: X509Certificate): Promise<CryptoKey> {
  const key = await crypto.subtle.importKey('pkcs8', PemConverter.decodeFirst(pem), ALGORITHM, false, ['sign']);
  const probe = randomBytes(16);
  const signature = await crypto.subtle.sign(ALGORITHM, key, probe);
  const publicKey = await certificate.publicKey.export(ALGORITHM, ['verify']);
  if (await crypto.subtle.verify(ALGORITHM, publicKey, signature, probe)) return key;
  throw new Error('the key is not that of the certificate');
}

/**
 * Reads a request from outside, and checks that who sent it has the key. Extensions that it asks for are not looked at.
 * @throws certificate_request_invalid
 */
export async function readRequest(pem: string): Promise<SigningRequest> {
  if (pem.length > MAX_REQUEST_CHARS) throw invalid(`it is longer than ${MAX_REQUEST_CHARS} characters`);
  let request: Pkcs10CertificateRequest;
  let isSigned: boolean;
  try {
    request = new Pkcs10CertificateRequest(pem);
    const { name, namedCurve } = request.publicKey.algorithm as { name: string; namedCurve?: string };
    if (name !== ALGORITHM.name || namedCurve !== ALGORITHM.namedCurve) throw invalid('its key is not ECDSA P-256');
    isSigned = await request.verify();
  } catch (error) {
    throw error instanceof ValkeeperError ? error : invalid('it cannot be read');
  }
  if (!isSigned) throw invalid('it is not signed with its own key');
  const commonNames = request.subjectName.getField('CN');
  if (commonNames.length !== 1) throw invalid('it has not exactly one common name');
  const keyId = createHash('sha256').update(Buffer.from(request.publicKey.rawData)).digest('hex');
  return { commonName: commonNames[0]!, keyId, publicKey: request.publicKey };
}

const invalid = (problem: string): ValkeeperError => new ValkeeperError('certificate_request_invalid', { problem });

async function issueBy(issuer: X509Certificate, signingKey: CryptoKey, order: Order): Promise<Issued> {
  const { request, identity, now, validityMs = CERTIFICATE_VALIDITY_MS } = order;
  const commonName = commonNameOf(identity);
  if (request.commonName !== commonName) throw invalid(`it is for ${request.commonName}, not for ${commonName}`);
  const certificate = await X509CertificateGenerator.create({
    serialNumber: randomSerial(),
    subject: [{ CN: [commonName] }],
    issuer: issuer.subjectName.toJSON(),
    notBefore: new Date(now - BACKDATED_MS),
    // Nothing outlives who vouches for it.
    notAfter: new Date(Math.min(now + validityMs, issuer.notAfter.getTime())),
    publicKey: request.publicKey,
    signingKey,
    signingAlgorithm: ALGORITHM,
    extensions: await extensionsFor(issuer, order),
  });
  return {
    certificate: `${certificate.toString('pem')}\n`,
    serial: certificate.serialNumber.toUpperCase(),
    notAfter: certificate.notAfter.getTime(),
  };
}

async function extensionsFor(issuer: X509Certificate, order: Order): Promise<Extension[]> {
  const { request, identity, addresses, hostNames = [] } = order;
  if (identity.kind === 'machine' && !isName(identity.name)) throw badName('name of a machine', identity.name);
  for (const address of addresses) if (isIP(address) === 0) throw badName('address', address);
  for (const name of hostNames) if (!isHostName(name)) throw badName('host name', name);
  if (addresses.length + hostNames.length > MAX_SUBJECT_NAMES) {
    throw badName('list of addresses and names', `${addresses.length + hostNames.length} entries`);
  }
  return [
    new BasicConstraintsExtension(false, undefined, true),
    new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
    // Both, for control planes too: they are clients of nodes.
    new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
    new SubjectAlternativeNameExtension([
      { type: 'url', value: uriOf(identity) },
      ...addresses.map((value) => ({ type: 'ip', value }) as const),
      ...hostNames.map((value) => ({ type: 'dns', value }) as const),
    ]),
    await SubjectKeyIdentifierExtension.create(request.publicKey),
    await AuthorityKeyIdentifierExtension.create(issuer.publicKey),
  ];
}

const LABEL = '[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?';
const HOST_NAME = new RegExp(`^${LABEL}(\\.${LABEL})*$`, 'i');
const isHostName = (name: string): boolean => name.length <= 253 && HOST_NAME.test(name);

const badName = (what: string, value: string): ValkeeperError =>
  new ValkeeperError('invalid_value', {
    field: `certificate: ${what}`,
    problem: `${JSON.stringify(value)} cannot stand in a certificate`,
    remedy: 'Use IP addresses, host names as in DNS, and machine names of lower-case letters, digits and hyphens.',
  });

const randomSerial = (): string => randomBytes(SERIAL_BYTES).toString('hex');
