import type { ServiceName } from '../types.ts';

export type Interface = 'public' | 'internal' | 'admin';

/** What a token is asked for; at most one of project, domain and system. None of them: an unscoped token. */
export interface AuthScope {
  projectId?: string;
  projectName?: string;
  /** Of the project, when it is given by name. */
  projectDomainId?: string;
  projectDomainName?: string;
  domainId?: string;
  domainName?: string;
  /** `all` */
  systemScope?: string;
  trustId?: string;
}

export interface PasswordAuth extends AuthScope {
  type: 'password';
  userId?: string;
  username?: string;
  userDomainId?: string;
  userDomainName?: string;
  password: string;
}

export interface ApplicationCredentialAuth {
  type: 'application-credential';
  /** By id, or by name together with the user. */
  id?: string;
  name?: string;
  userId?: string;
  username?: string;
  userDomainId?: string;
  userDomainName?: string;
  secret: string;
}

export interface TokenAuth extends AuthScope {
  type: 'token';
  token: string;
}

/** One cloud: where it is, how to log in, which endpoints to use. `loadConfig` and `cloudFromText` make it from clouds.yaml. */
export interface CloudConfig {
  /** The name in clouds.yaml, or `envvars`. */
  name?: string;
  /** Keystone's address, with or without /v3. */
  authUrl: string;
  auth: PasswordAuth | ApplicationCredentialAuth | TokenAuth;
  /** Region of the endpoints. Undefined: the first endpoint of the interface, whatever its region. */
  region?: string;
  /** Which endpoints of the catalog, first found wins. Default: public. */
  interfaces?: Interface[];
  /** Like `interfaces`, for one service. */
  serviceInterfaces?: Partial<Record<ServiceName, Interface[]>>;
  /** PEM of the CAs to trust instead of the system's. */
  ca?: string;
  /** File with that PEM. */
  caFile?: string;
  /** PEM of the client certificate and key. */
  cert?: string;
  certFile?: string;
  key?: string;
  keyFile?: string;
  /** False switches the check of certificates off. Default: true. */
  verify?: boolean;
  /** Endpoint per service in place of the catalog's. */
  endpointOverrides?: Partial<Record<ServiceName, string>>;
  /** Microversion per service, in place of the newest that both sides know. */
  microversions?: Partial<Record<ServiceName, string>>;
}
