/** The checks of `valkeeper doctor` as a page for people. */
import { CHECKS } from '../src/doctor/diagnose-host.ts';

/** Text of docs/doctor.md. */
export function renderDoctor(): string {
  const checks = CHECKS.map(({ name, about, why, judged }) => `### ${name}\n\nLooks at ${about}. ${judged}\\\n${why}`);
  return [
    '# Is this host ready?',
    '`valkeeper doctor` looks at the host it runs on. It needs no server, changes nothing, and says of each item `ok`,\n' +
      '`warning` or `problem`, or `unknown` where it could not look. For what is not well it says why that matters, the\n' +
      'command that mends it now (or shows what is in the way), and, where that does not outlast a reboot, the command that\n' +
      'keeps it so.',
    'Run it as root: who listens on a port is known to root only. `--server URL` names the control plane to compare the\n' +
      'clock with; without it that of the data directory is taken, if one runs. `--data-dir` says whose disk is looked at,\n' +
      'and which processes are ours.',
    'The exit code is 0 when all is well or there are warnings only, and 6 when there is a problem. With `--json` the result\n' +
      'is `{"problems", "warnings", "findings": [{"check", "level", "says", "why", "now", "lasting"}]}`; names of checks are\n' +
      'stable. An agent that runs as a service has limits of its own: see [running on hosts](running-on-hosts.md).',
    'This page is generated from `src/doctor/checks/` by `npm run docs`.',
    '## Checks',
    ...checks,
  ]
    .join('\n\n')
    .concat('\n');
}
