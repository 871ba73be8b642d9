/** Times that the authority and those who read its certificates must agree on. */

/** Certificates are valid from so long before they are issued: as far may the clock of who reads one be behind. */
export const BACKDATED_MS = 5 * 60_000;
