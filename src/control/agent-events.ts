/** What agents do that is worth a line in the history. */
import type { NewEvent } from '../domain/event.ts';
import { AGENT_PROTOCOL } from '../protocol/agent-messages.ts';
import type { Agents } from './agents.ts';
import type { Refusals } from './refusals.ts';

/** Records it from now on. `isStopping`: that agents go is what is wanted. */
export function tellOfAgents(
  agents: Agents,
  refusals: Refusals,
  record: (event: NewEvent) => void,
  isStopping: () => boolean,
): void {
  agents.on('other-protocol', (machine, protocol) => {
    const message = `The agent of ${machine} is turned away: it speaks protocol ${protocol}, this control plane ${AGENT_PROTOCOL}. Start it from the same version.`;
    record({ kind: 'agent_turned_away', severity: 'error', machine, message });
  });
  agents.on('refused', (who, machine, error) => {
    const subject = machine === null ? `An agent at ${who}` : `An agent that says it is ${machine}`;
    const message = `${subject} is turned away: ${error.message}`;
    refusals.note(`${who} ${error.code}`, {
      ...{ kind: 'agent_turned_away', severity: 'warning', message, details: { code: error.code } },
      ...(machine === null ? {} : { machine }),
    });
  });
  const serials = new Map<string, string>();
  agents.on('machine', ({ name, connected, certificate }) => {
    if (certificate) serials.set(name, certificate.serial);
    if (connected) refusals.forget(`${name} `);
    const kind = connected ? 'machine_connected' : 'machine_lost';
    const message = connected ? `The agent of ${name} is connected.` : `The agent of ${name} is gone.`;
    record({ kind, severity: connected || isStopping() ? 'info' : 'warning', machine: name, message });
  });
  agents.on('certificate', (machine, { serial, notAfter, problem }) => {
    const until = new Date(notAfter).toISOString();
    if (problem !== null) {
      const message = `The certificate of ${machine}, valid until ${until}, was not renewed: ${problem}`;
      record({ kind: 'certificate_not_renewed', severity: 'warning', machine, message });
    } else if (serials.get(machine) !== serial) {
      const message = `${machine} uses a new certificate, ${serial}, valid until ${until}.`;
      record({ kind: 'certificate_renewed', severity: 'info', machine, message });
    }
    serials.set(machine, serial);
  });
}
