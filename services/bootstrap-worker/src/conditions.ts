/**
 * Conditions that this service states, and their reasons. Reasons are for programs and stay as they are; messages are for people.
 */
export const CLUSTER_CONDITIONS = {
  /** The cluster's CAs and service-account keys are made. Reasons: Created. */
  pkiReady: 'PKIReady',
  /** The first control-plane machine is up and its API answers. Reasons: WaitingForMachine, Initializing, WaitingForAPI, Initialized. */
  initialized: 'Initialized',
  /** The API answers at its outside address. Reasons: Answers, Unreachable. */
  endpointHealthy: 'EndpointHealthy',
} as const;

/** Conditions on a Machine, in `status.bootstrap`. */
export const MACHINE_CONDITIONS = {
  /** The node has joined its cluster. Reasons: Installing, Joined, StepFailed, TicketExpired, ReleaseInvalid. */
  joined: 'Joined',
  /** Somebody showed the ticket with another key. Reasons: SecondKey. */
  ticketMisused: 'TicketMisused',
  /** The node is out of its cluster. Reasons: Draining, DrainBlocked, NodeSilent, ControlPlaneUnreachable, MemberRemovalNotBuilt. */
  drained: 'Drained',
} as const;
