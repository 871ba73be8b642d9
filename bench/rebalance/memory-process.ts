/** Takes so many bytes of memory, writes to all of it, says so, and holds it until it is ended. */
const PIECE_BYTES = 64 * 1024 ** 2;

const bytes = Number(process.argv[2]);
const held = Array.from({ length: Math.ceil(bytes / PIECE_BYTES) }, () => Buffer.alloc(PIECE_BYTES, 1));
process.stdout.write(`${held.length}\n`);
setInterval(() => held.length, 60_000);
