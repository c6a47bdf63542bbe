import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";

/** Random, and long enough that two are never the same: with the 12 bytes of plain AES-GCM a key would have to go after 2^32 payloads. */
export const NONCE_BYTES = 24;
const TAG_BYTES = 16;
const BLOCK_BYTES = 16;
/** What the reduction polynomial of GF(2^128) leaves, as in CMAC (RFC 4493, 2.3). */
const REDUCTION = 0x87;

/**
 * Encrypts with XAES-256-GCM (c2sp.org/XAES-256-GCM): AES-256-GCM under a key made of `key` and the first half of the nonce.
 * Returns nonce, ciphertext and tag in one. `extra` is authenticated and not kept.
 */
export function seal(key: Uint8Array, plain: Uint8Array, extra: Uint8Array, nonce: Uint8Array = randomBytes(NONCE_BYTES)): Buffer {
  const cipher = createCipheriv("aes-256-gcm", keyOf(key, nonce), nonce.subarray(12));
  cipher.setAAD(extra);
  const first = cipher.update(plain);
  const rest = cipher.final();
  return Buffer.concat([nonce, first, rest, cipher.getAuthTag()]);
}

/** Decrypts what `seal` made. Throws: Error when the key, `extra` or a single bit is another one. */
export function open(key: Uint8Array, sealed: Uint8Array, extra: Uint8Array): Buffer {
  if (sealed.length < NONCE_BYTES + TAG_BYTES) throw new Error("it is too short");
  const nonce = sealed.subarray(0, NONCE_BYTES);
  const end = sealed.length - TAG_BYTES;
  const decipher = createDecipheriv("aes-256-gcm", keyOf(key, nonce), nonce.subarray(12), { authTagLength: TAG_BYTES });
  decipher.setAAD(extra);
  decipher.setAuthTag(sealed.subarray(end));
  const first = decipher.update(sealed.subarray(NONCE_BYTES, end));
  return Buffer.concat([first, decipher.final()]);
}

function keyOf(key: Uint8Array, nonce: Uint8Array): Buffer {
  const mask = maskOf(key);
  const blocks = Buffer.alloc(2 * BLOCK_BYTES);
  for (const half of [0, 1]) {
    const at = half * BLOCK_BYTES;
    blocks.set([0, half + 1, 0x58, 0], at);
    blocks.set(nonce.subarray(0, 12), at + 4);
    for (let byte = 0; byte < BLOCK_BYTES; byte += 1) blocks[at + byte] = (blocks[at + byte] ?? 0) ^ (mask[byte] ?? 0);
  }
  return encryptBlocks(key, blocks);
}

const masks = new WeakMap<Uint8Array, Buffer>();

/** The same for every payload of a key. */
function maskOf(key: Uint8Array): Buffer {
  const known = masks.get(key);
  if (known !== undefined) return known;
  const mask = doubled(encryptBlocks(key, Buffer.alloc(BLOCK_BYTES)));
  masks.set(key, mask);
  return mask;
}

function doubled(block: Buffer): Buffer {
  const shifted = Buffer.from(block.map((byte, index) => ((byte << 1) | ((block[index + 1] ?? 0) >> 7)) & 0xff));
  const last = BLOCK_BYTES - 1;
  if (((block[0] ?? 0) & 0x80) !== 0) shifted[last] = (shifted[last] ?? 0) ^ REDUCTION;
  return shifted;
}

function encryptBlocks(key: Uint8Array, blocks: Buffer): Buffer {
  return createCipheriv("aes-256-ecb", key, null).setAutoPadding(false).update(blocks);
}
