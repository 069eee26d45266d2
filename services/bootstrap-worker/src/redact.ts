const HIDDEN = '[redacted]';
/** Colours, which kubeadm writes into files too. */
const COLOUR = new RegExp(`${String.fromCharCode(27)}\\[[0-9;]*[A-Za-z]`, 'g');

/**
 * Takes out of a log what looks like a secret: private keys, JSON web tokens, bootstrap tokens, certificate keys (64 hexadecimal digits that are
 * no digest), long base64 runs. The machine does the same before it sends; this side does not rely on it.
 */
export const redact = (text: string): string =>
  text
    .replace(COLOUR, '')
    .replace(/-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(-----END [A-Z ]*PRIVATE KEY-----|$)/g, HIDDEN)
    .replace(/eyJ[\w-]{8,}\.[\w-]+(\.[\w-]*)?/g, HIDDEN)
    .replace(/\b[a-z0-9]{6}\.[a-z0-9]{16}\b/g, HIDDEN)
    .replace(/(?<!sha256:)\b[0-9a-f]{64}\b/g, HIDDEN)
    .replace(/(bearer|token|password|secret)(["']?\s*[:=]\s*["']?)[^\s"',]{8,}/gi, `$1$2${HIDDEN}`)
    .replace(/[A-Za-z0-9+/_-]{80,}={0,2}/g, HIDDEN);

/** The last lines of a log: at most `lines` of them and `characters` in all. */
export function lastLines(text: string, lines = 40, characters = 4000): string {
  const tail = text.trimEnd().split('\n').slice(-lines).join('\n');
  return tail.length > characters ? `...${tail.slice(3 - characters)}` : tail;
}
