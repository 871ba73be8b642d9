/** Why the nodes of a database are where they are, in words. */
import { shortId } from '../domain/ids.ts';
import type { NodeExplanation, PlacementExplanation, RuleExplanation } from '../domain/placement.ts';
import { formatSize } from '../domain/size.ts';
import { counted } from '../domain/template.ts';

/** What a node reserves, the rules with what is to be said of each, then the nodes. */
export function describePlacement(explanation: PlacementExplanation): string {
  const { database, shards, replicas, reserve, rules, nodes } = explanation;
  const { dataBytes, spareBytes, processBytes, totalBytes } = reserve;
  const parts = `${formatSize(dataBytes)} for data, ${formatSize(spareBytes)} for forks and buffers, ${formatSize(processBytes)} for the process`;
  return [
    `${database}: ${counted(shards, 'shard')}, ${counted(replicas, 'replica')} each\nEach node reserves ${formatSize(totalBytes)}: ${parts}.`,
    rules.map(describeRule).join('\n'),
    ...nodes.map(describeNode),
  ].join('\n\n');
}

const VERDICT_WIDTH = 'cannot hold  even_primaries  '.length;

function describeRule({ rule, hard, holds, avoidable, sentences }: RuleExplanation): string {
  const verdict = holds ? 'holds' : !avoidable ? 'cannot hold' : hard ? 'BROKEN' : 'uneven';
  const lead = `${verdict.padEnd('cannot hold'.length)}  ${rule}`.padEnd(VERDICT_WIDTH);
  return sentences.map((sentence, index) => (index === 0 ? lead : ' '.repeat(VERDICT_WIDTH)) + sentence).join('\n');
}

function describeNode({ node, shard, role, machine, zone, sentences }: NodeExplanation): string {
  const where = zone === null ? machine : `${machine}, zone ${zone}`;
  return [`${shard} ${role} ${shortId(node)} on ${where}`, ...sentences.map((sentence) => `  ${sentence}`)].join('\n');
}
