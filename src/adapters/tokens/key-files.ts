import { createPrivateKey, createPublicKey, generateKeyPair, randomUUID, type KeyObject } from "node:crypto";
import { chmod, link, mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { calculateJwkThumbprint } from "jose";

/** A key as it lies in the folder. The private part never leaves this process. */
export interface SigningKey {
  /** The thumbprint of RFC 7638: the same key has the same name everywhere. */
  readonly kid: string;
  /** The place in the order of keys, which is the name of the file. */
  readonly number: number;
  /** From this moment on it may sign; it is published and accepted from the moment it lies there. */
  readonly signsFromMs: number;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  readonly publicJwk: PublicJwk;
}

/** The public part of a key, as it is published. */
export interface PublicJwk {
  readonly kty: "RSA";
  readonly kid: string;
  readonly alg: "RS256";
  readonly use: "sig";
  readonly n: string;
  readonly e: string;
}

/** The folder of keys cannot be used as it is; the message says why and names no secret. */
export class KeyFolderError extends Error {
  override readonly name = "KeyFolderError";
}

const MODULUS_BITS = 3_072;
const FILE_NAME = /^key-(\d{4})\.json$/;
const makeKeyPair = promisify(generateKeyPair);

/** Every key of the folder in order; none when the folder is not there. Throws: KeyFolderError for a file that is no key or that others may read. */
export async function readKeyFiles(directory: string): Promise<SigningKey[]> {
  const names = (await readdir(directory).catch(noneWhenAbsent)).filter((name) => FILE_NAME.test(name)).sort();
  return Promise.all(names.map((name) => readKeyFile(directory, name)));
}

/**
 * Adds a key that signs from `signsFromMs` on. Nothing is overwritten: of two that add at once as number `number` only one succeeds.
 * Returns undefined when that number is taken.
 */
export async function addKeyFile(directory: string, input: { number: number; signsFromMs: number }): Promise<string | undefined> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const { privateKey, publicKey } = await makeKeyPair("rsa", { modulusLength: MODULUS_BITS, publicExponent: 65_537 });
  const kid = await kidOf(publicKey);
  const unfinished = join(directory, `.unfinished-${randomUUID()}`);
  const content = {
    kid,
    createdAt: new Date().toISOString(),
    signsFrom: new Date(input.signsFromMs).toISOString(),
    privateKey: privateKey.export({ type: "pkcs8", format: "pem" }),
  };
  await writeFile(unfinished, `${JSON.stringify(content, undefined, 2)}\n`, { mode: 0o400, flag: "wx" });
  await chmod(unfinished, 0o400);
  try {
    // A link appears whole or not at all, and never replaces what is there.
    await link(unfinished, join(directory, nameOf(input.number)));
    return kid;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return undefined;
    throw error;
  } finally {
    await rm(unfinished, { force: true });
  }
}

/** Takes a key away for good. Safe to retry. */
export async function removeKeyFile(directory: string, number: number): Promise<void> {
  await rm(join(directory, nameOf(number)), { force: true });
}

async function readKeyFile(directory: string, name: string): Promise<SigningKey> {
  const path = join(directory, name);
  const { mode } = await stat(path);
  if ((mode & 0o077) !== 0) throw new KeyFolderError(`${path} may be read by others than its owner: chmod 0400 it, and replace the key`);
  try {
    const content = JSON.parse(await readFile(path, "utf8")) as Record<string, unknown>;
    const privateKey = createPrivateKey(String(content["privateKey"]));
    const publicKey = createPublicKey(privateKey);
    const signsFromMs = Date.parse(String(content["signsFrom"]));
    const kid = await kidOf(publicKey);
    if (privateKey.asymmetricKeyType !== "rsa" || (privateKey.asymmetricKeyDetails?.modulusLength ?? 0) < 2_048)
      throw new Error("not an RSA key of at least 2048 bits");
    if (content["kid"] !== kid || !Number.isFinite(signsFromMs)) throw new Error("not as it was written");
    const { n = "", e = "" } = publicKey.export({ format: "jwk" }) as { n?: string; e?: string };
    return {
      kid,
      number: Number(FILE_NAME.exec(name)?.[1]),
      signsFromMs,
      privateKey,
      publicKey,
      publicJwk: { kty: "RSA", kid, alg: "RS256", use: "sig", n, e },
    };
  } catch {
    // The parser's words may quote the file, so they are left out.
    throw new KeyFolderError(`${path} is not a signing key as Saldo writes them`);
  }
}

function kidOf(publicKey: KeyObject): Promise<string> {
  return calculateJwkThumbprint(publicKey.export({ format: "jwk" }));
}

function nameOf(number: number): string {
  return `key-${String(number).padStart(4, "0")}.json`;
}

function noneWhenAbsent(error: unknown): string[] {
  if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
  throw error;
}
