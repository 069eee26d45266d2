import type { Exchange } from '../http/exchange.ts';
import { badRequest } from '../status.ts';
import type { Json, User } from '../types.ts';
import { isRecord, record, text } from '../util/json.ts';
import { type Authenticator, stringsAt, userInfo } from './authenticate.ts';
import type { Attributes, Authorizer } from './authorize.ts';

/** What reviews are answered with. */
export interface Reviewers {
  authenticator: Authenticator;
  authorizer: Authorizer;
}

function attributes(user: User, spec: Json): Attributes {
  const r = spec.resourceAttributes;
  if (isRecord(r)) {
    return {
      user,
      verb: text(r.verb),
      resource: {
        group: text(r.group),
        plural: text(r.resource),
        subresource: text(r.subresource),
        namespace: text(r.namespace),
        name: text(r.name),
      },
    };
  }
  const n = spec.nonResourceAttributes;
  if (!isRecord(n)) throw badRequest('spec: exactly one of resourceAttributes and nonResourceAttributes must be given');
  return { user, verb: text(n.verb), path: text(n.path) };
}

const subject = (spec: Json): User => ({ name: text(spec.user), groups: stringsAt(spec, 'groups') });

/** Answers a TokenReview, SubjectAccessReview or one of their relatives; nothing is stored. */
export function review(x: Exchange, reviewers: Reviewers, plural: string, posted: Json): Json {
  const spec = record(posted.spec);
  const answer = (status: Json): Json => ({
    kind: posted.kind,
    apiVersion: posted.apiVersion,
    metadata: { creationTimestamp: null },
    ...(posted.spec === undefined ? {} : { spec }),
    status,
  });
  const decide = (a: Attributes): Json => {
    const allowed = reviewers.authorizer.allowed(a);
    return answer({ allowed, ...(allowed ? { reason: 'RBAC: allowed' } : {}) });
  };
  switch (plural) {
    case 'tokenreviews': {
      const user = reviewers.authenticator.review(text(spec.token));
      return answer(
        user
          ? { authenticated: true, user: userInfo(user), audiences: stringsAt(spec, 'audiences') }
          : { user: {}, error: 'invalid bearer token' },
      );
    }
    case 'selfsubjectreviews':
      return answer({ userInfo: userInfo(x.user) });
    case 'selfsubjectaccessreviews':
      return decide(attributes(x.user, spec));
    case 'subjectaccessreviews':
    case 'localsubjectaccessreviews':
      return decide(attributes(subject(spec), spec));
    default: {
      const rules = reviewers.authorizer.rules(x.user, text(spec.namespace));
      return answer({
        resourceRules: rules
          .filter((r) => r.resources.length > 0)
          .map(({ nonResourceURLs: _, resourceNames, ...r }) => ({
            ...r,
            ...(resourceNames.length > 0 ? { resourceNames } : {}),
          })),
        nonResourceRules: rules
          .filter((r) => r.nonResourceURLs.length > 0)
          .map((r) => ({ verbs: r.verbs, nonResourceURLs: r.nonResourceURLs })),
        incomplete: false,
      });
    }
  }
}
