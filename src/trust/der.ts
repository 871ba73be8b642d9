/** Writing DER, as much of it as a certificate request needs (X.690). */

const LONG_FORM = 0x80;

/** One value: its tag, its length, and its parts one behind the other. @throws RangeError beyond 64 KB */
export function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  if (length > 0xffff) throw new RangeError(`${length} bytes are too many for one value`);
  let head = [tag, length];
  if (length > 0xff) head = [tag, LONG_FORM | 2, length >> 8, length & 0xff];
  else if (length >= LONG_FORM) head = [tag, LONG_FORM | 1, length];
  return Buffer.concat([Buffer.from(head), content]);
}

/** The tags that are used here. */
export const TAG = {
  integer: 0x02,
  bitString: 0x03,
  oid: 0x06,
  utf8: 0x0c,
  sequence: 0x30,
  set: 0x31,
  /** The attributes of a certificate request. */
  context0: 0xa0,
} as const;

/** As PEM, with lines of 64 characters. */
export function pem(label: string, bytes: Uint8Array): string {
  const lines =
    Buffer.from(bytes)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}
