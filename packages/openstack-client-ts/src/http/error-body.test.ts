import { describe, expect, it } from 'vitest';
import { parseErrorBody, parseQuota } from './error-body.ts';

describe('error answers', () => {
  it.each([
    [
      'Nova',
      { itemNotFound: { code: 404, message: 'Instance x could not be found.' } },
      { message: 'Instance x could not be found.', code: 'itemNotFound' },
    ],
    [
      'Neutron',
      { NeutronError: { type: 'PortNotFound', message: 'Port x could not be found.', detail: '' } },
      { message: 'Port x could not be found.', code: 'PortNotFound' },
    ],
    [
      'Neutron with detail',
      { NeutronError: { type: 'HTTPBadRequest', message: 'Bad', detail: 'more' } },
      { message: 'Bad (more)', code: 'HTTPBadRequest' },
    ],
    ['Neutron as text', { NeutronError: 'Policy not found' }, { message: 'Policy not found', code: 'NeutronError' }],
    [
      'Keystone',
      { error: { code: 401, title: 'Unauthorized', message: 'Log in.' } },
      { message: 'Log in.', code: 'Unauthorized' },
    ],
    [
      'Octavia',
      { faultcode: 'Client', faultstring: 'Load Balancer x not found.', debuginfo: null },
      { message: 'Load Balancer x not found.', code: 'Client' },
    ],
    [
      'Placement',
      { errors: [{ status: 404, title: 'Not Found', detail: 'No provider', code: 'placement.undefined_code' }] },
      { message: 'No provider', code: 'placement.undefined_code' },
    ],
    [
      'Glance',
      '<html>\n <head>\n  <title>404 Not Found</title>\n </head>\n <body>\n  <h1>404 Not Found</h1>\n  No image &quot;x&quot;<br /><br />\n </body>\n</html>',
      { message: '404 Not Found No image "x"', code: '404 Not Found' },
    ],
    ['plain text', 'upstream timed out', { message: 'upstream timed out' }],
    ['a bare message', { message: 'no', title: 'Bad' }, { message: 'no', code: 'Bad' }],
  ])('of %s are read', (_, body, expected) => {
    expect(parseErrorBody(body)).toEqual(expected);
  });

  it.each([undefined, null, '', [], {}, { error: {} }, 7])('of no known form (%j) give nothing', (body) => {
    expect(parseErrorBody(body)).toBeUndefined();
  });
});

describe('used-up quotas', () => {
  it.each([
    [
      403,
      'forbidden',
      'Quota exceeded for cores: Requested 4, but already used 19 of 20 cores',
      { resources: ['cores'], requested: 4, used: 19, limit: 20 },
    ],
    [
      403,
      'forbidden',
      'Quota exceeded for instances, cores: Requested 1, 2, but already used 10, 20 of 10, 20 instances, cores',
      { resources: ['instances', 'cores'], requested: 1, used: 10 },
    ],
    [403, 'forbidden', 'Quota exceeded, too many key pairs.', { resources: ['key pairs'] }],
    [403, 'forbidden', 'Maximum number of ports exceeded', { resources: ['ports'] }],
    [409, 'OverQuota', "Quota exceeded for resources: ['port', 'network'].", { resources: ['port', 'network'] }],
    [
      413,
      'overLimit',
      "VolumeLimitExceeded: Maximum number of volumes allowed (10) exceeded for quota 'volumes'.",
      { resources: ['volumes'] },
    ],
    [403, 'Client', 'Quota has been met for resources: Load Balancer', { resources: ['Load Balancer'] }],
  ])('%i %s "%s" is read', (status, code, message, expected) => {
    expect(parseQuota(status, { code, message })).toMatchObject(expected);
  });

  it.each([
    [409, { code: 'conflictingRequest', message: 'Cannot start instance while it is in vm_state active' }],
    [403, { code: 'forbidden', message: "Policy doesn't allow os_compute_api:os-hypervisors:list to be performed." }],
    [400, { code: 'badRequest', message: 'Quota limit must be greater than -1' }],
    [500, { message: 'Quota exceeded for cores' }],
  ])('%i %j is something else', (status, error) => {
    expect(parseQuota(status, error)).toBeUndefined();
  });
});
