import "reflect-metadata";
import { webcrypto } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  BasicConstraintsExtension,
  cryptoProvider,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
  type X509Certificate,
} from "@peculiar/x509";

/** The files of one certificate, in PEM. */
export interface PemPair {
  readonly cert: string;
  readonly key: string;
}

/** An authority that lives as long as one test. Its files lie in the folder that it was made in. */
export interface ThrowawayCa {
  /** The file with the authority's own certificate. */
  readonly ca: string;
  /** Issues a certificate and writes it and its key to files of that name. By default it is valid for a day. */
  issue(name: string, options: { commonName: string; names?: readonly string[]; notBefore?: Date; notAfter?: Date }): Promise<PemPair>;
}

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const DAY_MS = 86_400_000;

/** Makes an authority whose files begin with `name`. */
export async function makeThrowawayCa(folder: string, name = "ca"): Promise<ThrowawayCa> {
  // The library's types know the browser's crypto, which Node's is.
  cryptoProvider.set(webcrypto as never);
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const root = await X509CertificateGenerator.createSelfSigned({
    name: `CN=Throw-away authority ${name}`,
    notBefore: new Date(Date.now() - DAY_MS),
    notAfter: new Date(Date.now() + DAY_MS),
    signingAlgorithm: ALGORITHM,
    keys: keys as never,
    extensions: [new BasicConstraintsExtension(true, undefined, true), new KeyUsagesExtension(KeyUsageFlags.keyCertSign, true)],
  });
  const ca = write(folder, `${name}.pem`, root);
  let serial = 1;
  return {
    ca,
    async issue(
      file,
      { commonName, names = [], notBefore = new Date(Date.now() - DAY_MS / 2), notAfter = new Date(Date.now() + DAY_MS / 2) },
    ) {
      const own = await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
      serial += 1;
      const certificate = await X509CertificateGenerator.create({
        serialNumber: serial.toString(16).padStart(2, "0"),
        subject: `CN=${commonName}`,
        issuer: root.subject,
        notBefore,
        notAfter,
        signingAlgorithm: ALGORITHM,
        publicKey: own.publicKey as never,
        signingKey: keys.privateKey as never,
        extensions: names.length === 0 ? [] : [new SubjectAlternativeNameExtension(names.map(alternativeName))],
      });
      const key = join(folder, `${file}.key`);
      const der = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", own.privateKey));
      writeFileSync(key, pem("PRIVATE KEY", der), { mode: 0o600 });
      return { cert: write(folder, `${file}.pem`, certificate), key };
    },
  };
}

function alternativeName(value: string): { type: "ip" | "dns"; value: string } {
  return { type: /^[\d.]+$|:/.test(value) ? "ip" : "dns", value };
}

function write(folder: string, file: string, certificate: X509Certificate): string {
  const path = join(folder, file);
  writeFileSync(path, `${certificate.toString("pem")}\n`);
  return path;
}

function pem(label: string, der: Buffer): string {
  const lines = der.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}
