import { deflateRawSync } from "node:zlib";
import { expect, test } from "vitest";
import { readZipEntry } from "./zip.ts";

function zip(files: { name: string; content: Buffer; method: 0 | 8 | 12 }[]): Buffer {
  const locals: Buffer[] = [];
  const entries: Buffer[] = [];
  let offset = 0;
  for (const { name, content, method } of files) {
    const packed = method === 8 ? deflateRawSync(content) : content;
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(method, 8);
    local.writeUInt16LE(name.length, 26);
    const entry = Buffer.alloc(46);
    entry.writeUInt32LE(0x02014b50, 0);
    entry.writeUInt16LE(method, 10);
    entry.writeUInt32LE(packed.length, 20);
    entry.writeUInt16LE(name.length, 28);
    entry.writeUInt32LE(offset, 42);
    locals.push(local, Buffer.from(name), packed);
    entries.push(entry, Buffer.from(name));
    offset += 30 + name.length + packed.length;
  }
  const directory = Buffer.concat(entries);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(files.length, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...locals, directory, end]);
}

const content = Buffer.from("redis ".repeat(100));

test("gives a stored and a deflated file back, and undefined for one that is not there", () => {
  const archive = zip([
    { name: "stored", content, method: 0 },
    { name: "deflated", content, method: 8 },
  ]);
  expect(readZipEntry(archive, "stored")).toEqual(content);
  expect(readZipEntry(archive, "deflated")).toEqual(content);
  expect(readZipEntry(archive, "absent")).toBeUndefined();
});

test("refuses what it cannot unpack", () => {
  expect(() => readZipEntry(zip([{ name: "bzip2", content, method: 12 }]), "bzip2")).toThrow("method 12");
  expect(() => readZipEntry(Buffer.from("<html>not found</html>"), "any")).toThrow("no zip archive");
});
