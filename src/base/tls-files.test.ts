import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { readFileSync } from "node:fs";
import { createServer as createPlainServer, type AddressInfo, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, createServer, type TLSSocket } from "node:tls";
import { afterAll, afterEach, beforeAll, expect, it, vi } from "vitest";
import { makeThrowawayCa, type PemPair, type ThrowawayCa } from "../../test/support/throwaway-ca.ts";
import { tlsFrom } from "./tls-files.ts";
import { tlsTrouble } from "./tls-probe.ts";

let folder: string;
let ca: ThrowawayCa;
let [good, expired, other]: PemPair[] = [];
const servers: Server[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "saldo-tls-files-"));
  ca = await makeThrowawayCa(folder);
  good = await ca.issue("good", { commonName: "server", names: ["localhost", "127.0.0.1"] });
  other = await ca.issue("other", { commonName: "other", names: ["other.example"] });
  expired = await ca.issue("expired", {
    commonName: "server",
    names: ["localhost", "127.0.0.1"],
    notBefore: new Date("2024-01-01"),
    notAfter: new Date("2024-02-01"),
  });
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

afterEach(() => {
  vi.unstubAllEnvs();
  for (const server of servers.splice(0)) server.close();
});

async function portOf(server: Server): Promise<number> {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

const serving = (pair: PemPair | undefined) =>
  portOf(
    createServer({ cert: readFileSync(pair?.cert ?? ""), key: readFileSync(pair?.key ?? "") }, (socket) => socket.on("error", () => {})).on(
      "tlsClientError",
      () => {},
    ),
  );
const troubleWith = (port: number, files = {}) =>
  tlsTrouble({ host: "127.0.0.1", port, talk: "kafka", files: { ca: ca.ca, ...files } }, 5_000);

it("a server with a good certificate gives no trouble", async () => {
  expect(await troubleWith(await serving(good))).toBeUndefined();
});

it("says of a server's certificate that it has expired, and that it is for another name", async () => {
  expect(await troubleWith(await serving(expired))).toBe("its certificate has expired");
  expect(await troubleWith(await serving(other))).toBe(
    "its certificate is for another name (DNS:other.example): set KAFKA_TLS_SERVER_NAME if that is right",
  );
  expect(await troubleWith(await serving(other), { serverName: "other.example" })).toBeUndefined();
});

it("says of a port that does not speak TLS that it does not", async () => {
  const port = await portOf(createPlainServer((socket) => socket.on("error", () => {}).end("HTTP/1.1 400 Bad Request\r\n\r\n")));
  expect(await troubleWith(port)).toBe("it does not speak TLS at this port");
});

it("says of a Postgres without TLS that it has none", async () => {
  const port = await portOf(createPlainServer((socket) => socket.on("error", () => {}).on("data", () => socket.write("N"))));
  expect(await tlsTrouble({ host: "127.0.0.1", port, talk: "postgres", files: { ca: ca.ca } }, 5_000)).toBe("it does not speak TLS");
});

it("hears the opinion of a server that speaks nothing older than TLS 1.3", async () => {
  const own = { cert: readFileSync(good?.cert ?? ""), key: readFileSync(good?.key ?? ""), ca: readFileSync(ca.ca) };
  const port = await portOf(
    createServer({ ...own, minVersion: "TLSv1.3", requestCert: true, rejectUnauthorized: true }, (socket) =>
      socket.on("error", () => {}),
    ).on("tlsClientError", () => {}),
  );
  expect(await troubleWith(port)).toBe("it asks for a client certificate: set KAFKA_TLS_CERT and KAFKA_TLS_KEY");
  expect(await troubleWith(port, expired)).toBe("the certificate of KAFKA_TLS_CERT has expired on 2024-02-01");
  expect(await troubleWith(port, good)).toBeUndefined();
});

it("says nothing where nothing listens: that is no matter of TLS", async () => {
  const port = await portOf(createPlainServer());
  servers.splice(0)[0]?.close();
  expect(await troubleWith(port)).toBeUndefined();
});

it("the check of the server cannot be switched off from outside", async () => {
  vi.stubEnv("NODE_TLS_REJECT_UNAUTHORIZED", "0");
  const port = await serving(other);
  const socket: TLSSocket = connect({ ...tlsFrom({ ca: ca.ca }, "127.0.0.1"), port });
  await expect(new Promise((resolve, reject) => socket.once("secureConnect", resolve).once("error", reject))).rejects.toMatchObject({
    code: "ERR_TLS_CERT_ALTNAME_INVALID",
  });
});

it("a renewed certificate is taken by the next connection, and a half-written one by none", async () => {
  const seen: string[] = [];
  const port = await portOf(
    createServer(
      {
        cert: readFileSync(good?.cert ?? ""),
        key: readFileSync(good?.key ?? ""),
        ca: readFileSync(ca.ca),
        requestCert: true,
        rejectUnauthorized: false,
      },
      (socket) => {
        seen.push(String(socket.getPeerCertificate().subject?.CN));
        socket.end();
      },
    ),
  );
  const own = { ca: ca.ca, cert: join(folder, "own.pem"), key: join(folder, "own.key") };
  const place = (pair: PemPair | undefined) => {
    copyFileSync(pair?.cert ?? "", own.cert);
    copyFileSync(pair?.key ?? "", own.key);
  };
  place(good);
  const options = tlsFrom(own, "127.0.0.1");
  const visit = () =>
    new Promise<void>((resolve, reject) => {
      connect({ ...options, secureContext: options.secureContext, port })
        .once("close", () => resolve())
        .once("error", reject)
        .resume();
    });
  await visit();
  writeFileSync(own.cert, "half of");
  await visit();
  place(other);
  await visit();
  expect(seen).toEqual(["server", "server", "other"]);
});

it("an empty file of authorities is none, and not all of them; in the middle of a renewal the former one counts", () => {
  const own = { ca: join(folder, "authorities.pem") };
  writeFileSync(own.ca, "");
  expect(() => tlsFrom(own, "127.0.0.1")).toThrow("the file of _TLS_CA holds no certificate in PEM");
  copyFileSync(ca.ca, own.ca);
  const options = tlsFrom(own, "127.0.0.1");
  const before = options.secureContext;
  for (const content of ["", "-----BEGIN CERTIFICATE-----\nMIIB", readFileSync(good?.key ?? "", "utf8")]) {
    writeFileSync(own.ca, content);
    expect(options.secureContext).toBe(before);
  }
  copyFileSync(good?.cert ?? "", own.ca);
  expect(options.secureContext).not.toBe(before);
});

it("says which file is not what it should be", async () => {
  const empty = join(folder, "empty.pem");
  writeFileSync(empty, "");
  expect(await troubleWith(await serving(good), { ca: empty })).toBe("the file of KAFKA_TLS_CA holds no certificate in PEM");
});
