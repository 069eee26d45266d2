import type { ApplicationCredentialAuth, AuthScope, CloudConfig, PasswordAuth } from '../config/types.ts';

interface Reference {
  id?: string;
  name?: string;
  domain?: Reference;
}

/** The body of `POST /v3/auth/tokens`. */
export function authRequest(auth: CloudConfig['auth']): unknown {
  switch (auth.type) {
    case 'password':
      return {
        auth: {
          identity: { methods: ['password'], password: { user: { ...user(auth), password: auth.password } } },
          ...scope(auth),
        },
      };
    case 'application-credential': {
      const credential =
        auth.id !== undefined
          ? { id: auth.id, secret: auth.secret }
          : { name: auth.name, user: user(auth), secret: auth.secret };
      // Its scope is its project; Keystone refuses a scope here.
      return { auth: { identity: { methods: ['application_credential'], application_credential: credential } } };
    }
    case 'token':
      return { auth: { identity: { methods: ['token'], token: { id: auth.token } }, ...scope(auth) } };
  }
}

function user(auth: PasswordAuth | ApplicationCredentialAuth): Reference {
  if (auth.userId !== undefined) return { id: auth.userId };
  const reference: Reference = { domain: domain(auth.userDomainId, auth.userDomainName) };
  if (auth.username !== undefined) reference.name = auth.username;
  return reference;
}

function domain(id: string | undefined, name: string | undefined): Reference {
  if (id !== undefined) return { id };
  return name === undefined ? { id: 'default' } : { name };
}

function scope(auth: AuthScope): { scope?: unknown } {
  if (auth.trustId !== undefined) return { scope: { 'OS-TRUST:trust': { id: auth.trustId } } };
  if (auth.projectId !== undefined) return { scope: { project: { id: auth.projectId } } };
  if (auth.projectName !== undefined) {
    return {
      scope: { project: { name: auth.projectName, domain: domain(auth.projectDomainId, auth.projectDomainName) } },
    };
  }
  if (auth.domainId !== undefined) return { scope: { domain: { id: auth.domainId } } };
  if (auth.domainName !== undefined) return { scope: { domain: { name: auth.domainName } } };
  if (auth.systemScope !== undefined) return { scope: { system: { all: true } } };
  return {};
}
