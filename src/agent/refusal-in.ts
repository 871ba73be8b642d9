/** What a control plane says to an agent that it does not even let speak. */
import type { IncomingMessage } from 'node:http';
import { ERRORS, type ErrorDocument, fromErrorDocument, type ValkeeperError } from '../domain/errors.ts';

/** Longest refusal that is read, in characters. */
const MOST_CHARS = 10_000;

/** The error that an answer carries; null when it says nothing that is known. */
export async function refusalIn(response: IncomingMessage): Promise<ValkeeperError | null> {
  try {
    let text = '';
    for await (const chunk of response.setEncoding('utf8')) {
      text += chunk;
      if (text.length > MOST_CHARS) return null;
    }
    const { code, kind, message, hint } = JSON.parse(text) as ErrorDocument;
    return code in ERRORS ? fromErrorDocument({ code, kind, message, hint }) : null;
  } catch {
    return null;
  }
}
