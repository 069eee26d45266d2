export { type CertificateRequest, certify, certifyRequest, createAuthority, issue } from './authority.ts';
export {
  caCertHash,
  createKeyPair,
  type KeyedCertificate,
  type KeyPair,
  notAfter,
  publicKeyHash,
  splitPem,
} from './keys.ts';
export { type KubeconfigInput, kubeconfig } from './kubeconfig.ts';
