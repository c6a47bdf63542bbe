import { expect, it } from "vitest";
import { readAnswer } from "./http-answer.ts";

const bytes = (text: string) => Buffer.from(text, "utf8");

it("an answer with a length is read when its body is there whole", () => {
  const text = 'HTTP/1.1 201 Created\r\nContent-Type: application/json\r\ncontent-length: 9\r\n\r\n{"a":"é"}';
  expect(readAnswer(bytes(text.slice(0, 20)))).toBeUndefined();
  expect(readAnswer(bytes(text.replace("9\r\n", "10\r\n")))).toMatchObject({ status: 201, body: '{"a":"é"}', closes: false });
  expect(readAnswer(bytes(text.replace("9\r\n", "11\r\n")))).toBeUndefined();
});

it("an answer in chunks is put together, and waited for until its last chunk", () => {
  const text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
  expect(readAnswer(bytes(text))?.body).toBe("abcde");
  expect(readAnswer(bytes(text.slice(0, -1)))).toBeUndefined();
});

it("a refusal says when to come back, and that the connection ends", () => {
  const answer = readAnswer(bytes("HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"));
  expect(answer).toMatchObject({ status: 503, closes: true, body: "", headers: { "retry-after": "1" } });
});
