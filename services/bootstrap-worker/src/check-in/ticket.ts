import { createHmac, timingSafeEqual } from 'node:crypto';

/** How long after its server became ACTIVE a machine may redeem its ticket. */
export const TICKET_SECONDS = 15 * 60;

const mac = (key: Buffer, machineUid: string, clusterUid: string): Buffer =>
  createHmac('sha256', key).update(machineUid).update(clusterUid).digest();

/**
 * The ticket of a Machine: `base64url(uid).base64url(HMAC-SHA256(key, uid + cluster uid))`. The same every time, so that
 * issuing one costs no write. Both UIDs are of fixed length (UUIDs), so the concatenation has one reading.
 *
 * @param key - of the Secret `ticket-key`, at least 32 bytes
 */
export const issueTicket = (key: Buffer, machineUid: string, clusterUid: string): string =>
  `${Buffer.from(machineUid).toString('base64url')}.${mac(key, machineUid, clusterUid).toString('base64url')}`;

/** The Machine's UID that a ticket claims, unproven; undefined where it is no ticket at all. */
export function claimedMachine(ticket: string): string | undefined {
  const at = ticket.indexOf('.');
  if (at <= 0 || ticket.length > 256) return undefined;
  const uid = Buffer.from(ticket.slice(0, at), 'base64url').toString();
  return /^[A-Za-z0-9-]{1,64}$/.test(uid) ? uid : undefined;
}

/** Whether we issued this ticket for that Machine of that Cluster. Takes the same time whatever is wrong with it. */
export function isTicketOf(key: Buffer, ticket: string, machineUid: string, clusterUid: string): boolean {
  const given = Buffer.from(ticket.slice(ticket.indexOf('.') + 1), 'base64url');
  const right = mac(key, machineUid, clusterUid);
  return given.length === right.length && timingSafeEqual(given, right);
}
