/** Reading what a neighbour says. It is a machine of the fleet, but what it sends must not bring this agent down. */
import type { Answer, NeighbourReply, NeighbourRequest, Question } from '../protocol/neighbour-messages.ts';
import { isVoterList } from './roster-shape.ts';

type Loose = Record<string, unknown>;
type Check = (message: Loose) => boolean;

const isText = (value: unknown): value is string => typeof value === 'string';
const areTexts =
  (...names: string[]): Check =>
  (message) =>
    names.every((name) => isText(message[name]));
const isListOf = (value: unknown, holds: (one: unknown) => boolean): boolean =>
  Array.isArray(value) && value.every(holds);
const isAddress = (value: unknown): boolean =>
  isObject(value) && isText(value['host']) && Number.isInteger(value['port']);

const QUESTIONS: { [Q in Question['ask']]: Check } = {
  lease: areTexts('machine'),
  claim: (question) => areTexts('by', 'machine', 'database')(question) && isListOf(question['nodes'], isAddress),
  release: areTexts('by', 'machine', 'database'),
  moved: areTexts('database'),
  waited: areTexts('database', 'node'),
};

const ANSWERS: { [A in Answer['kind']]: Check } = {
  granted: ({ claimed }) => isListOf(claimed, isText),
  agreed: () => true,
  denied: areTexts('reason'),
  noted: () => true,
  waited: ({ ms }) => Number.isFinite(ms) && Number(ms) >= 0,
  'newer-voters': ({ voters }) => isVoterList(voters),
};

/** The request; null when it is none. Of one in another version of the protocol the question is not looked at. */
export function readRequest(text: string, ours: number): NeighbourRequest | null {
  const request = parse(text);
  if (!request || ![request['id'], request['protocol'], request['version']].every(Number.isSafeInteger)) return null;
  if (request['protocol'] !== ours) return request as unknown as NeighbourRequest;
  return holds(QUESTIONS, 'ask', request['question']) ? (request as unknown as NeighbourRequest) : null;
}

/** The reply; null when it is none. */
export function readReply(text: string): NeighbourReply | null {
  const reply = parse(text);
  const isReply = reply && Number.isSafeInteger(reply['id']) && holds(ANSWERS, 'kind', reply['answer']);
  return isReply ? (reply as unknown as NeighbourReply) : null;
}

function holds(checks: Readonly<Record<string, Check>>, tag: string, value: unknown): boolean {
  if (!isObject(value)) return false;
  const name = value[tag];
  return isText(name) && Object.hasOwn(checks, name) && checks[name]!(value);
}

function parse(text: string): Loose | null {
  try {
    const message: unknown = JSON.parse(text);
    return isObject(message) ? message : null;
  } catch {
    return null;
  }
}

function isObject(value: unknown): value is Loose {
  return typeof value === 'object' && value !== null;
}
