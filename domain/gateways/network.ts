/** Which addresses gateways may have: no metadata services, and private networks only where they are listed. */

/** A block of addresses: `10.1.0.0/16`, `fd00::/8`. */
export interface Cidr {
  /** As it was given. */
  text: string;
  /** The first address, as a number of 128 bits; IPv4 as IPv6 writes it (::ffff:a.b.c.d). */
  first: bigint;
  /** Of 128. */
  prefix: number;
}
