/**
 * A server that speaks S3, for s3.ts. `node s3-process.ts HOST DIR BUCKET`: listens on a free port of that address and
 * keeps objects in the folder; prints its port. It is s3rver, which checks names, signatures and clocks as AWS does, and
 * what s3rver has not: objects that are replaced as a whole, and the listing and the end of multipart uploads, in the
 * words of AWS's documentation. A line of its input makes the next requests fail: `{"fail":2,"status":500}`, or never be
 * answered: `{"hang":1}`; `{"cut":1}` ends the next object's body in the middle. Each line is answered by `ok`.
 */
import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

interface Server {
  configureBuckets(): Promise<unknown>;
  callback(): (request: IncomingMessage, response: ServerResponse) => void;
  store: { putContent(path: string, content: unknown): Promise<unknown> };
}
type ServerClass = new (options: object) => Server;

const [host = '', directory = '', bucket = ''] = process.argv.slice(2);
// It has no types, and to a compiler it is nobody's module.
const require = createRequire(import.meta.url);
const S3rver = require('@20minutes/s3rver') as ServerClass;
const options = { directory, silent: true, configureBuckets: [{ name: bucket }] };
const server = new S3rver(options);
await server.configureBuckets();
const handle = server.callback();
/** It reckons the signature of a path without the slash that clients now put behind a bucket's name: for those paths only. */
const handleBucket = new S3rver({ ...options, allowMismatchedSignatures: true }).callback();

/** Objects and parts are replaced as a whole, and nothing of a broken request stays. */
const putContent = server.store.putContent.bind(server.store);
server.store.putContent = async (path, content) => {
  const temporary = `${path}.${randomUUID()}`;
  try {
    const put = await putContent(temporary, content);
    await rename(temporary, path);
    return put;
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
};

const trouble = { fail: 0, status: 500, hang: 0, cut: 0 };
createInterface({ input: process.stdin })
  .on('line', (line) => {
    Object.assign(trouble, JSON.parse(line));
    console.log('ok');
  })
  .on('close', () => process.exit());

const uploads = join(directory, bucket, '._S3rver_uploads');

const http = createServer((request, response) => {
  void respond(request, response).catch((error: unknown) => {
    console.error(error);
    response.destroy();
  });
});

async function respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '', 'http://localhost');
  if (trouble.hang > 0) {
    trouble.hang -= 1;
  } else if (trouble.fail > 0) {
    trouble.fail -= 1;
    request.resume();
    await new Promise((resolve) => request.once('end', resolve));
    response.writeHead(trouble.status, { 'content-type': 'application/xml' });
    response.end('<Error><Code>InternalError</Code><Message>asked for</Message></Error>');
  } else if (trouble.cut > 0 && request.method === 'GET' && !url.searchParams.has('list-type')) {
    trouble.cut -= 1;
    await cut(url, response);
  } else if (request.method === 'GET' && url.searchParams.has('uploads')) {
    response.writeHead(200, { 'content-type': 'application/xml' });
    response.end(await listUploads(url.searchParams.get('prefix') ?? ''));
  } else if (request.method === 'DELETE' && url.searchParams.has('uploadId')) {
    const folder = join(uploads, url.searchParams.get('uploadId') ?? '');
    const isThere = await stat(folder).then(
      () => true,
      () => false,
    );
    await rm(folder, { recursive: true, force: true });
    response.writeHead(isThere ? 204 : 404, { 'content-type': 'application/xml' });
    response.end(isThere ? '' : '<Error><Code>NoSuchUpload</Code><Message>It is not there.</Message></Error>');
  } else if (url.pathname.endsWith('/')) {
    handleBucket(request, response);
  } else {
    handle(request, response);
  }
}

/** One page, however many there are. */
async function listUploads(prefix: string): Promise<string> {
  const found: string[] = [];
  for (const id of await readdir(uploads).catch(() => [])) {
    const key = await readFile(join(uploads, id, 'key'), 'utf8');
    const { birthtime } = await stat(join(uploads, id, 'key'));
    // Whole seconds, as AWS has them.
    const initiated = birthtime.toISOString().replace(/\.\d+/, '.000');
    if (!key.startsWith(prefix)) continue;
    found.push(`<Upload><Key>${key}</Key><UploadId>${id}</UploadId><Initiated>${initiated}</Initiated></Upload>`);
  }
  return `<ListMultipartUploadsResult><Bucket>${bucket}</Bucket><IsTruncated>false</IsTruncated>${found.join('')}</ListMultipartUploadsResult>`;
}

async function cut(url: URL, response: ServerResponse): Promise<void> {
  const path = join(directory, `${decodeURIComponent(url.pathname)}._S3rver_object`);
  const { size } = await stat(path);
  response.writeHead(200, { 'content-length': size });
  const half = createReadStream(path, { end: Math.floor(size / 2) });
  for await (const chunk of half) response.write(chunk);
  setTimeout(() => response.destroy(), 20);
}

http.listen(0, host, () => console.log((http.address() as AddressInfo).port));
