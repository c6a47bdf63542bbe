import { promisify } from "node:util";
import { gzip, unzip } from "node:zlib";
import { Decompress } from "fzstd";
import { decompressFrameSync } from "lz4-napi";
import { uncompressSync } from "snappy";
import { clientModule } from "./kafka-internals.ts";

/** A record batch that unpacks to more is not read: some kilobytes can unpack to gigabytes. */
export const MAX_UNPACKED_BYTES = 67_108_864;

const unzipAsync = promisify(unzip);
const gzipAsync = promisify(gzip);

/** Kafka's numbers of the codecs. */
const GZIP = 1;
const SNAPPY = 2;
const LZ4 = 3;
const ZSTD = 4;

interface Codec {
  compress(encoder: { readonly buffer: Buffer }): Promise<Buffer>;
  decompress(packed: Buffer): Promise<Buffer>;
}

/**
 * Lets the client read every compression that Kafka knows; by itself it knows gzip, without a bound, and a batch in any other stops its
 * consumer for good (kafkajs/src/protocol/message/compression/index.js). Saldo itself never packs. Safe to retry.
 */
export function registerCodecs(): void {
  register(GZIP, {
    compress: ({ buffer }) => gzipAsync(buffer),
    decompress: (packed) => unzipAsync(packed, { maxOutputLength: MAX_UNPACKED_BYTES }),
  });
  register(SNAPPY, { compress: refuse, decompress: async (packed) => unpackSnappy(packed) });
  register(LZ4, { compress: refuse, decompress: async (packed) => unpackLz4(packed) });
  register(ZSTD, { compress: refuse, decompress: async (packed) => unpackZstd(packed) });
}

function register(type: number, codec: Codec): void {
  const { Codecs } = clientModule("protocol/message/compression/index.js") as { readonly Codecs: Record<number, () => Codec> };
  Codecs[type] = () => codec;
}

async function refuse(): Promise<never> {
  throw new Error("Saldo packs nothing");
}

const XERIAL = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0]);
/** The header's magic, its version and the version it is compatible with. */
const XERIAL_HEADER_BYTES = 16;

/** Snappy as the Java producer writes it (blocks with their lengths behind a header) or as librdkafka does (one block). Throws on anything else. */
export function unpackSnappy(packed: Buffer, maxBytes = MAX_UNPACKED_BYTES): Buffer {
  if (!packed.subarray(0, XERIAL.length).equals(XERIAL)) return unpackSnappyBlock(packed, maxBytes);
  const blocks: Buffer[] = [];
  let left = maxBytes;
  for (let at = XERIAL_HEADER_BYTES; at < packed.length;) {
    const end = at + 4 + packed.readUInt32BE(at);
    if (end > packed.length) throw new Error("a block of the snappy stream is cut off");
    const block = unpackSnappyBlock(packed.subarray(at + 4, end), left);
    blocks.push(block);
    left -= block.length;
    at = end;
  }
  return Buffer.concat(blocks);
}

function unpackSnappyBlock(block: Buffer, maxBytes: number): Buffer {
  let length = 0;
  for (let place = 0, byte = 0x80; byte >= 0x80 && place < 5; place += 1) {
    byte = block[place] ?? 0;
    length += (byte & 0x7f) * 2 ** (7 * place);
  }
  requireBound(length, maxBytes);
  return uncompressSync(block, { asBuffer: true }) as Buffer;
}

const LZ4_BLOCK_BYTES: Readonly<Record<number, number>> = { 4: 65_536, 5: 262_144, 6: 1_048_576, 7: 4_194_304 };

/** An LZ4 frame. Throws on anything else, and on one whose blocks may unpack to more than `maxBytes`. */
export function unpackLz4(packed: Buffer, maxBytes = MAX_UNPACKED_BYTES): Buffer {
  const flags = packed.readUInt8(4);
  const blockBytes = LZ4_BLOCK_BYTES[(packed.readUInt8(5) >> 4) & 7] ?? Infinity;
  const hasContentSize = (flags & 0x08) !== 0;
  const checksumBytes = (flags & 0x10) === 0 ? 0 : 4;
  let most = 0;
  for (let at = hasContentSize ? 15 : 7; ;) {
    const word = packed.readUInt32LE(at);
    const length = word & 0x7fffffff;
    if (length === 0) break;
    // A block packs 255 bytes into one at most, and a frame of many small blocks is never as much as its block size says.
    most += word >= 0x80000000 ? length : Math.min(blockBytes, length * 255);
    at += 4 + length + checksumBytes;
  }
  requireBound(most, maxBytes);
  return decompressFrameSync(packed);
}

/** One or several zstd frames. Throws on anything else. */
export function unpackZstd(packed: Buffer, maxBytes = MAX_UNPACKED_BYTES): Buffer {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  const stream = new Decompress((part) => {
    bytes += part.length;
    requireBound(bytes, maxBytes);
    parts.push(part);
  });
  stream.push(packed, true);
  return Buffer.concat(parts);
}

function requireBound(bytes: number, maxBytes: number): void {
  if (bytes > maxBytes) throw new Error(`it unpacks to more than ${maxBytes} bytes`);
}
