/**
 * Conditions that this service states, and their reasons. Reasons are for programs and stay as they are; messages are for people.
 */
export const CLUSTER_CONDITIONS = {
  /** The cluster's CAs and service-account keys are made. Reasons: Created. */
  pkiReady: 'PKIReady',
  /** The first control-plane machine is up and its API answers. Reasons: WaitingForMachine, MachineLeaves, WaitingForAPI, Initialized. */
  initialized: 'Initialized',
  /** The API answers at its outside address. Reasons: Answers, Unreachable. */
  endpointHealthy: 'EndpointHealthy',
  /**
   * The members of etcd answer. Absent until there was a reason to look. True: Healthy. False: MemberUnhealthy, MemberUnknown, NoAnswer,
   * QuorumAtRisk (a member may not go now), QuorumLost (nothing is done until a person decides).
   */
  etcdHealthy: 'EtcdHealthy',
  /** kube-proxy and CoreDNS follow the cluster's release; absent until there was an upgrade. True: Followed. False: AddonMissing, ImageUnknown, ReleaseInvalid. */
  addonsFollow: 'AddonsFollow',
} as const;

/** Conditions on a Machine, in `status.bootstrap`. */
export const MACHINE_CONDITIONS = {
  /** The node has joined its cluster. Reasons: Installing, Joined, StepFailed, TicketExpired, ReleaseInvalid. */
  joined: 'Joined',
  /** Somebody showed the ticket with another key. Reasons: SecondKey. */
  ticketMisused: 'TicketMisused',
  /**
   * The node's pods are moved. True: Drained, Kept. False: Draining, DrainBlocked, NodeSilent, DrainTimedOut, ControlPlaneUnreachable, EmergencyStop,
   * ClusterPaused, WaitingForMember (drained, and waits for etcd).
   */
  drained: 'Drained',
  /** Volumes of the node are let go; stated only where there were any. Reasons: Detached, Detaching, DetachBlocked, DetachTimedOut. */
  volumesDetached: 'VolumesDetached',
  /**
   * The member of a leaving control-plane machine is out of etcd. Stated under the Cluster's key. True: Removed. False: Removing, MovingLeader,
   * Refused, EmergencyStop, QuorumAtRisk, QuorumLost, LastMember, NoAnswer.
   */
  memberRemoved: 'MemberRemoved',
} as const;
