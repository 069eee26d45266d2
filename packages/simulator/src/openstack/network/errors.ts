import { ApiError } from '../../core/message.ts';

/** Neutron's 404s, each in its own words. */
export function notFound(kind: string, id: string): ApiError {
  const words: Record<string, [string, string]> = {
    network: ['NetworkNotFound', `Network ${id} could not be found.`],
    subnet: ['SubnetNotFound', `Subnet ${id} could not be found.`],
    port: ['PortNotFound', `Port ${id} could not be found.`],
    router: ['RouterNotFound', `Router ${id} could not be found`],
    floatingip: ['FloatingIPNotFound', `Floating IP ${id} could not be found`],
    security_group: ['SecurityGroupNotFound', `Security group ${id} does not exist`],
    security_group_rule: ['SecurityGroupRuleNotFound', `Security group rule ${id} does not exist`],
  };
  const [type, message] = words[kind] ?? ['HTTPNotFound', 'The resource could not be found.'];
  return new ApiError(404, message, type);
}

export function badRequest(message: string, type = 'HTTPBadRequest'): ApiError {
  return new ApiError(400, message, type);
}

/** 400 InvalidInput. */
export function invalidInput(message: string): ApiError {
  return new ApiError(400, `Invalid input for operation: ${message}`, 'InvalidInput');
}

export function conflict(type: string, message: string): ApiError {
  return new ApiError(409, message, type);
}

/** 403 as the policy engine says it. */
export function disallowed(...rules: string[]): ApiError {
  const text = rules.length > 1 ? `(${rules.map((r) => `rule:${r}`).join(' and ')})` : `rule:${rules[0]}`;
  return new ApiError(403, `${text} is disallowed by policy`, 'PolicyNotAuthorized');
}
