import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { writeWholeFile } from "./report-file.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "saldo-report-file-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const write = (text: string) => writeWholeFile({ directory, fileName: "r.csv", write: (append) => append(text) });

describe("a file written whole or not at all", () => {
  it("has the text and answers its hash", async () => {
    const text = "Уборка;1.00\n".repeat(50_000);
    const { sha256 } = await write(text);
    expect(readFileSync(join(directory, "r.csv"), "utf8")).toBe(text);
    expect(sha256).toBe(createHash("sha256").update(text).digest("hex"));
    expect(readdirSync(directory)).toEqual(["r.csv"]);
  });

  it("is not there while it is written, and the one before it still is", async () => {
    await write("old");
    await writeWholeFile({
      directory,
      fileName: "r.csv",
      write: async (append) => {
        await append("new".repeat(100_000));
        expect(readFileSync(join(directory, "r.csv"), "utf8")).toBe("old");
      },
    });
    expect(readFileSync(join(directory, "r.csv"), "utf8")).toHaveLength(300_000);
  });

  it("leaves nothing behind when writing fails half-way", async () => {
    const failing = writeWholeFile({
      directory,
      fileName: "r.csv",
      write: async (append) => {
        await append("x".repeat(100_000));
        throw new Error("no more rows");
      },
    });
    await expect(failing).rejects.toThrow("no more rows");
    expect(readdirSync(directory)).toEqual([]);
  });

  it("removes what an attempt that was killed left behind, and nothing of another file", async () => {
    writeFileSync(join(directory, ".r.csv.dead-attempt"), "half");
    writeFileSync(join(directory, ".other.csv.attempt"), "half");
    await write("whole");
    expect(readdirSync(directory).toSorted()).toEqual([".other.csv.attempt", "r.csv"]);
  });

  it("leaves no part of a file when the system takes no more bytes", () => {
    const script = `
      const { writeWholeFile } = await import(${JSON.stringify(pathToFileURL(join(import.meta.dirname, "report-file.ts")).href)});
      const { execFileSync } = await import("node:child_process");
      execFileSync("prlimit", ["--pid", String(process.pid), "--fsize=100000"]);
      try { await writeWholeFile({ directory: ${JSON.stringify(directory)}, fileName: "r.csv", write: (append) => append("x".repeat(1_000_000)) }); }
      catch (error) { console.log(error.code); }`;
    const output = execFileSync(process.execPath, ["--import", "tsx", "--input-type=module", "-e", script], { encoding: "utf8" });
    expect(output.trim()).toBe("EFBIG");
    expect(readdirSync(directory)).toEqual([]);
  });
});
