/** Names and identities. A node's id is the engine's own node id: one identity, chosen by us before the node is born. */

/** 40 lower-case hexadecimal digits; the engine's `CLUSTER MYID`. */
export type NodeId = string;

/** True for 1 to 40 lower-case letters, digits and hyphens that start with a letter: safe as a file name everywhere. */
export const isName = (value: string): boolean => /^[a-z][a-z0-9-]{0,39}$/.test(value);

/** True for a node id as the engine writes it. */
export const isNodeId = (value: string): boolean => /^[0-9a-f]{40}$/.test(value);

/**
 * The id of the placeholder that a newborn primary names as its primary in its first nodes.conf (see
 * docs/adr/0003-born-as-replica.md): the node's own id with every digit complemented, so it needs no record.
 */
export function placeholderOf(nodeId: NodeId): NodeId {
  let placeholder = '';
  for (const digit of nodeId) placeholder += COMPLEMENTS[digit];
  return placeholder;
}

/** Looked up, not computed: every look asks it of every node. */
const COMPLEMENTS = Object.fromEntries(
  [...'0123456789abcdef'].map((digit, value) => [digit, (15 - value).toString(16)]),
);

const NATURAL = new Intl.Collator('en', { numeric: true });

/** The order of names in which people count: machine-2 before machine-10. */
export const byName = (a: string, b: string): number => NATURAL.compare(a, b);

/** The first eight digits: enough for people to tell nodes apart. */
export const shortId = (nodeId: NodeId): string => nodeId.slice(0, 8);
