/** What is asked as whom, and how the server answers. */

/** A stay of a node among the living, as the server is told of it. */
export interface Claimant {
  readonly incarnation: string;
  /** The last moment, by the server's clock in microseconds, at which what it sends now may take effect. */
  readonly notAfter: number;
}

/** A session, or a connection, that an incarnation held, and the number that it had. */
export interface Holding {
  readonly member: string;
  readonly fence: string;
}

/** How a claim ended. */
export type ClaimReply =
  | {
      readonly outcome: 'claimed';
      readonly fence: string;
      readonly user: string;
      readonly formerUser: string;
    }
  | { readonly outcome: 'held'; readonly incarnation: string; readonly fence: string };

/** What became of an orphan: its new fencing number, `free`, or `''` where it was no orphan any more. */
export interface AdoptReply {
  readonly id: string;
  readonly fence: string;
  readonly user: string;
}

/** Members and their scores. */
export function holdingsFrom(list: readonly string[]): Holding[] {
  const found: Holding[] = [];
  // Some servers print a score as `1.795e+15`.
  for (let at = 0; at < list.length; at += 2)
    found.push({ member: list[at]!, fence: String(Number(list[at + 1])) });
  return found;
}

/** Fields and their values. */
export function pairsFrom(reply: unknown): [string, string][] {
  const list = reply as Buffer[];
  const pairs: [string, string][] = [];
  for (let at = 0; at < list.length; at += 2) pairs.push([String(list[at]), String(list[at + 1])]);
  return pairs;
}

/** What `TIME` says, in microseconds. */
export function microsFrom(reply: unknown): number {
  const [seconds, micros] = reply as Buffer[];
  return Number(seconds) * 1_000_000 + Number(micros);
}
