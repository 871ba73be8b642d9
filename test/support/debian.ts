/** Programs of Debian's that tests need: found, or installed where that may be done. */
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findOnPath } from '../../src/engine/search-path.ts';
import { install, type Missing } from '../../src/engine/tools.ts';
import { takeFileLock } from '../../src/platform/file-lock.ts';

const INSTALL_MS = 5 * 60_000;

/** The program's path. @throws Error when it is not there and cannot be installed */
export async function debianProgram(program: string, debianPackage: string): Promise<string> {
  const found = (): string | undefined => findOnPath(program, process.env)[0];
  let problem = '';
  if (found() === undefined) {
    // Several test files run at once, and apt-get does not wait for another one.
    const lock = join(tmpdir(), 'valkeeper-debian-install.lock');
    const release = await takeFileLock(lock, () => {}, AbortSignal.timeout(INSTALL_MS));
    try {
      const wanted: readonly Missing[] = [{ what: program, debianPackage }];
      const missing = async () => (found() === undefined ? wanted : []);
      problem = (await install(missing, process.env, () => {})).installProblem;
    } finally {
      release();
    }
  }
  const path = found();
  if (path === undefined) throw new Error(`these tests need ${program} (apt-get install ${debianPackage})${problem}`);
  return path;
}
