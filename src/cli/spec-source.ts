/** Where a spec file's text comes from: a file, or stdin. */
import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { ValkeeperError } from '../domain/errors.ts';
import { fileError } from '../platform/files.ts';
import type { Cli } from './cli.ts';
import type { NamedSpec } from './spec-file.ts';

/** The databases that a file, or for `-` stdin, asks for. @throws file_not_found, file_unusable, spec_file_invalid */
export async function specsFrom(cli: Cli, file: string): Promise<NamedSpec[]> {
  const [{ readSpecs }, content] = await Promise.all([
    import('./spec-file.ts'), // with a YAML parser, which other commands do without
    file === '-' ? text(cli.host.stdin) : readText(file),
  ]);
  return readSpecs(content, file === '-' ? 'stdin' : file);
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw new ValkeeperError('file_not_found', { path });
    throw fileError('read', path, error);
  }
}
