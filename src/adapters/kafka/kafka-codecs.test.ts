import { gzipSync } from "node:zlib";
import { compressFrameSync } from "lz4-napi";
import { compressSync } from "snappy";
import { describe, expect, it } from "vitest";
import { unpackLz4, unpackSnappy, unpackZstd } from "./kafka-codecs.ts";

const TEXT = Buffer.from("a purchase of 10.00 USD; ".repeat(10_000));

function xerial(...blocks: readonly Buffer[]): Buffer {
  const header = Buffer.concat([Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1])]);
  const parts = blocks.flatMap((block) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(block.length);
    return [length, block];
  });
  return Buffer.concat([header, ...parts]);
}

/** A zstd frame of one block of `length` equal bytes (RFC 8878, 3.1.1): magic, no content size, a window, the block's header, the byte. */
function zstdRun(length: number): Buffer {
  const header = Buffer.alloc(3);
  header.writeUIntLE((length << 3) | 0b011, 0, 3);
  return Buffer.concat([Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x38]), header, Buffer.from("x")]);
}

describe("what others packed is unpacked", () => {
  it("snappy in one block and in the blocks of the Java producer", () => {
    expect(unpackSnappy(compressSync(TEXT)).equals(TEXT)).toBe(true);
    expect(unpackSnappy(xerial(compressSync(TEXT.subarray(0, 100)), compressSync(TEXT.subarray(100)))).equals(TEXT)).toBe(true);
  });

  it("lz4 frames and zstd frames", () => {
    expect(unpackLz4(compressFrameSync(TEXT)).equals(TEXT)).toBe(true);
    expect(unpackZstd(Buffer.concat([zstdRun(1_000), zstdRun(500)]))).toEqual(Buffer.from("x".repeat(1_500)));
  });
});

describe("what unpacks to more than is read, or is cut off, is an error", () => {
  it.each<[string, (maxBytes?: number) => Buffer]>([
    ["snappy", (maxBytes) => unpackSnappy(compressSync(TEXT), maxBytes)],
    ["snappy in blocks", (maxBytes) => unpackSnappy(xerial(compressSync(TEXT), compressSync(TEXT)), maxBytes)],
    ["lz4", (maxBytes) => unpackLz4(compressFrameSync(TEXT), maxBytes)],
    ["zstd", (maxBytes) => unpackZstd(zstdRun(131_072), maxBytes)],
  ])("%s", (_name, unpack) => {
    expect(() => unpack(100_000)).toThrow("it unpacks to more than 100000 bytes");
    expect(unpack().length).toBeGreaterThan(100_000);
  });

  it.each<[string, () => Buffer, string]>([
    ["snappy", () => unpackSnappy(compressSync(TEXT).subarray(0, 500)), "corrupt input"],
    ["snappy in blocks", () => unpackSnappy(xerial(compressSync(TEXT)).subarray(0, 500)), "is cut off"],
    ["lz4", () => unpackLz4(compressFrameSync(TEXT).subarray(0, 500)), "out of range"],
    ["zstd", () => unpackZstd(zstdRun(1_000).subarray(0, 8)), "unexpected EOF"],
    ["something else", () => unpackLz4(gzipSync(TEXT)), "out of range"],
  ])("%s", (_name, unpack, word) => {
    expect(unpack).toThrow(word);
  });
});
