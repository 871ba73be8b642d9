/**
 * The tests of the baseline that do not pass through the endpoint, each with its reason. docs/conformance.md is made
 * from it; `npm run conformance` fails when another one does not pass, or one of these does.
 */

/** By unit and by the test's name; a name that a unit uses more than once stands for all of them. */
export const EXPECTED_FAILURES: Readonly<Record<string, Readonly<Record<string, string>>>> = {};

/** The day of the latest whole run through an endpoint that was as listed; null: there was none yet. */
export const LAST_RUN: string | null = null;
