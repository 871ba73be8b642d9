import { ERROR_KINDS } from '../../domain/errors.ts';
import type { Finding } from '../../domain/finding.ts';
import { type AddCommand, action, example } from '../action.ts';

/** `doctor`: looks at this host and says what is not as it should be, why that matters, and what mends it. */
export const addDoctor: AddCommand = (program, host) => {
  program
    .command('doctor')
    .description(
      'look at this host: what is not as it should be, why it matters, what mends it; its clock is compared with the one of --server, or of the server of the data directory',
    )
    .addHelpText('after', example('valkeeper doctor', 'valkeeper doctor --server http://10.0.0.1:7420'))
    .action(
      action(host, async (cli) => {
        const findings = await cli.host.doctor(cli.dataDir, cli.namedServer);
        const { problems, warnings } = counted(findings);
        cli.print({ problems, warnings, findings }, () => [...findings.map(describe), '', sum(findings)].join('\n'));
        if (problems > 0) process.exitCode = ERROR_KINDS.unavailable.exit;
      }),
    );
};

const counted = (findings: readonly Finding[]): { problems: number; warnings: number } => ({
  problems: findings.filter(({ level }) => level === 'problem').length,
  warnings: findings.filter(({ level }) => level === 'warning').length,
});

const LEVEL_WIDTH = 'problem'.length;
const CHECK_WIDTH = 16;

function describe({ level, check, says, why, now, lasting }: Finding): string {
  const indent = ' '.repeat(LEVEL_WIDTH + 2);
  return [
    `${level.padEnd(LEVEL_WIDTH)}  ${check.padEnd(CHECK_WIDTH)}  ${says}`,
    ...(why === null ? [] : [`${indent}why      ${why}`]),
    ...(now === null ? [] : [`${indent}now      ${now}`]),
    ...(lasting === null ? [] : [`${indent}lasting  ${lasting}`]),
  ].join('\n');
}

function sum(findings: readonly Finding[]): string {
  const { problems, warnings } = counted(findings);
  if (problems + warnings === 0) return 'All is well.';
  return `Problems: ${problems}, warnings: ${warnings}.`;
}
