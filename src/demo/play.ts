/** Plays the acts one after the other and sums up. */
import type { Act, Claim, Outcome, Scene } from './scene.ts';
import { columns, tenths, wrap } from './words.ts';

/** What an act found, in the document. */
export interface ActDocument {
  id: string;
  title: string;
  sentence: string;
  /** All its claims did. */
  held: boolean;
  claims: Claim[];
  tookMs: number;
  figures: Record<string, unknown>;
}

/** What was played. */
export interface PlayDocument {
  /** Every claim of every act held. */
  held: boolean;
  acts: ActDocument[];
}

/** How the words look: on a terminal with emphasis, elsewhere as they are. */
export interface Look {
  /** Longest line, in characters. */
  width: number;
  strong(text: string): string;
  /** A claim's mark, by whether it held. */
  mark(held: boolean): string;
}

/** Plays the acts in their order. @throws what an act throws */
export async function play(actsToPlay: readonly Act[], scene: Scene, look: Look): Promise<PlayDocument> {
  const acts: ActDocument[] = [];
  const table: string[][] = [];
  for (const [index, act] of actsToPlay.entries()) {
    scene.say(`\n${heading(act, index, look)}\n`);
    const startedAt = performance.now();
    const outcome = await act.play({ ...scene, say: (text) => scene.say(indented(text, look)) });
    const tookMs = tenths(performance.now() - startedAt);
    scene.say(['', ...outcome.claims.map((claim) => describeClaim(claim, look))].join('\n'));
    const { id, title, sentence } = act;
    acts.push({ id, title, sentence, held: holds(outcome), claims: outcome.claims, tookMs, figures: outcome.figures });
    table.push(...outcome.summary.map(([what, howMuch], row) => [row === 0 ? `Act ${index + 1}` : '', what, howMuch]));
  }
  scene.say(`\n${look.strong('What was measured')}\n${columns(table).join('\n')}`);
  return { held: acts.every(({ held }) => held), acts };
}

const holds = ({ claims }: Outcome): boolean => claims.every(({ held }) => held);

function heading({ title, sentence }: Act, index: number, { width, strong }: Look): string {
  return `${strong(`Act ${index + 1}. ${title}`)}\n${wrap(`"${sentence}"`, width, '  | ')}`;
}

/** Running text is wrapped; a table is left as it is. */
function indented(text: string, { width }: Look): string {
  if (!text.includes('\n')) return wrap(text, width, '  ');
  const lines = text.split('\n').map((line) => `    ${line}`);
  return ['', ...lines].join('\n');
}

function describeClaim({ text, held }: Claim, { width, mark }: Look): string {
  const [first = '', ...rest] = wrap(text, width - 7).split('\n');
  return [`  ${mark(held)} ${first}`, ...rest.map((line) => `       ${line}`)].join('\n');
}
