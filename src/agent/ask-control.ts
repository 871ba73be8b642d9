/** One question to a control plane, apart from the link: to join, and to renew a certificate. */
import type { IncomingMessage } from 'node:http';
import { request as httpsRequest, type RequestOptions } from 'node:https';
import { ERRORS, type ErrorDocument, fromErrorDocument, ValkeeperError } from '../domain/errors.ts';
import { type CertificateReply, JOIN_PATH } from '../protocol/join-messages.ts';
import { clockError, timeInDateHeader } from '../trust/clock-offset.ts';
import { refusalOf } from '../trust/peer.ts';
import { peerError } from '../trust/peer-error.ts';

const ANSWER_MS = 10_000;
/** Longest answer that is read, in characters. */
const MOST_CHARS = 256 * 1024;
const CONTROL = { kind: 'control' } as const;

/**
 * What the control plane at this URL answers.
 * @param options what this side shows and believes: `clientOptions`, `joiningOptions`
 * @throws what the control plane refuses; clock_off when the clocks are too far apart, whatever else is wrong then;
 * what is wrong with its certificate; no_answer
 */
export async function askControl(
  url: string,
  path: string,
  body: unknown,
  options: RequestOptions,
): Promise<CertificateReply> {
  const askedAt = Date.now();
  let response: IncomingMessage;
  let text: string;
  try {
    response = await send(url, path, 'POST', JSON.stringify(body), options);
    text = await textOf(response);
  } catch (error) {
    throw await failureOf(error as Error, url);
  }
  const theirs = timeInDateHeader(response.headers.date);
  const off = theirs === null ? null : clockError(nameOf(url), { theirs, askedAt, answeredAt: Date.now() });
  if (off) throw off;
  const answer = parse(text);
  if (response.statusCode === 200 && isReply(answer)) return answer;
  if (isDocument(answer)) throw fromErrorDocument(answer);
  throw new ValkeeperError('no_answer', { url, detail: 'what listens there is not Valkeeper' });
}

/** What a failure comes from: if the dates of a certificate are wrong, it may be the clock that is. */
async function failureOf(error: Error, url: string): Promise<ValkeeperError> {
  const refusal = refusalOf(error, CONTROL);
  if (refusal === null) return new ValkeeperError('no_answer', { url, detail: error.message }, { cause: error });
  const isOfTime = refusal.why === 'expired' || refusal.why === 'not_yet_valid';
  const off = isOfTime ? await clockProblem(url) : null;
  return off ?? peerError(refusal, nameOf(url), Date.now());
}

/** Asks for nothing but the time, and believes nothing else: without a look at the certificate. */
async function clockProblem(url: string): Promise<ValkeeperError | null> {
  const askedAt = Date.now();
  try {
    const response = await send(url, JOIN_PATH, 'HEAD', '', { rejectUnauthorized: false });
    response.resume();
    const theirs = timeInDateHeader(response.headers.date);
    return theirs === null ? null : clockError(nameOf(url), { theirs, askedAt, answeredAt: Date.now() });
  } catch {
    return null; // the first failure is the one to tell
  }
}

function send(
  url: string,
  path: string,
  method: string,
  content: string,
  options: RequestOptions,
): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(content) };
  const outgoing = httpsRequest(url + path, { ...options, method, headers, agent: false });
  const timer = setTimeout(() => outgoing.destroy(new Error(`no answer within ${ANSWER_MS / 1000} s`)), ANSWER_MS);
  outgoing.once('response', resolve);
  outgoing.on('error', reject);
  outgoing.once('close', () => clearTimeout(timer));
  outgoing.end(content);
  return promise;
}

async function textOf(response: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) {
    text += chunk;
    if (text.length > MOST_CHARS) throw new Error(`the answer is longer than ${MOST_CHARS} characters`);
  }
  return text;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

const isReply = (answer: unknown): answer is CertificateReply => {
  const { certificate, bundle } = (answer ?? {}) as Partial<CertificateReply>;
  return typeof certificate === 'string' && Array.isArray(bundle) && bundle.every((pem) => typeof pem === 'string');
};

const isDocument = (answer: unknown): answer is ErrorDocument => {
  const { code, message, hint } = (answer ?? {}) as Partial<ErrorDocument>;
  return typeof code === 'string' && code in ERRORS && typeof message === 'string' && typeof hint === 'string';
};

const nameOf = (url: string): string => `The control plane at ${url}`;

/** What the first of the servers says, that can be reached. @throws what the last one fails with */
export async function firstThatAnswers<T>(urls: readonly string[], ask: (url: string) => Promise<T>): Promise<T> {
  let failure: unknown = new ValkeeperError('usage', {
    problem: 'There is no server to join.',
    remedy: 'Name one: --join https://HOST:PORT.',
  });
  for (const url of urls) {
    try {
      return await ask(url);
    } catch (error) {
      if (!(error instanceof ValkeeperError && error.kind === 'unavailable')) throw error;
      failure = error;
    }
  }
  throw failure;
}
