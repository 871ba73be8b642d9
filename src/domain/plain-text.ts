/** Where nothing is encrypted: what leaves a host in clear text can be read and changed on its way. */

/** An address that no other host reaches. */
export const isLoopback = (address: string): boolean => address.startsWith('127.') || address === '::1';

/** Who speaks at an address, and how. */
export interface Exposure {
  address: string;
  /** There are credentials: what speaks, speaks TLS. */
  tls: boolean;
  /** Somebody has said that plain text is meant. */
  plainText: boolean;
}

/** Clear text beyond loopback needs somebody's word; nobody has to know that it would be sent. */
export const mayListen = ({ address, tls, plainText }: Exposure): boolean => tls || plainText || isLoopback(address);
