import { clientUrl, type Etcd, type EtcdMember, peerUrl } from './etcd.ts';

/** How etcdctl 3.6 prints: ids as numbers of 64 bits, which JSON.stringify cannot, so the text is put together here as Go puts it together. */

const header = (etcd: Etcd, by: EtcdMember): string =>
  `"cluster_id":${etcd.clusterId},"member_id":${by.id},"raft_term":${etcd.term}`;

/** Of `member list` and `member remove`. A field that is empty is left out. */
export function membersJson(etcd: Etcd, by: EtcdMember): string {
  const members = etcd.members.map((m) => {
    const started = m.name === '' ? [] : [`"name":${JSON.stringify(m.name)}`];
    const clients = m.name === '' ? [] : [`"clientURLs":${JSON.stringify([clientUrl(m)])}`];
    const learner = m.isLearner ? ['"isLearner":true'] : [];
    return `{${[`"ID":${m.id}`, ...started, `"peerURLs":${JSON.stringify([peerUrl(m)])}`, ...clients, ...learner].join(',')}}`;
  });
  return `{"header":{${header(etcd, by)}},"members":[${members.join(',')}]}`;
}

/** Of `member list --hex`, which is written by hand in etcdctl: it does not tell who is a learner, and null where a list is empty. */
export function membersHexJson(etcd: Etcd, by: EtcdMember): string {
  const head = `{"cluster_id":"${etcd.clusterId.toString(16)}","member_id":"${by.id.toString(16)}","raft_term":${etcd.term}}`;
  const members = etcd.members.map((m) => {
    const clients = m.name === '' ? 'null' : JSON.stringify([clientUrl(m)]);
    return `{"ID":"${m.id.toString(16)}","name":"${m.name}","peerURLs":${JSON.stringify([peerUrl(m)])},"clientURLs":${clients}}`;
  });
  return `{"header":${head},"members":[${members.join(',')}]}`;
}

/** One line for each member: ID, Status, Name, Peer Addrs, Client Addrs, Is Learner. */
export const membersSimple = (etcd: Etcd): string =>
  etcd.members
    .map((m) => {
      const started = m.name !== '';
      const id = m.id.toString(16);
      return [id, started ? 'started' : 'unstarted', m.name, peerUrl(m), started ? clientUrl(m) : '', m.isLearner].join(
        ', ',
      );
    })
    .join('\n');

const DB_BYTES = 20_480;
const DB_BYTES_IN_USE = 16_384;
const QUOTA_BYTES = 2_147_483_648;
const REVISION = 1;

/** Of `endpoint status`; `--hex` changes nothing. */
export function statusJson(etcd: Etcd, of: readonly { endpoint: string; member: EtcdMember }[]): string {
  const leader = etcd.leader;
  const all = of.map(({ endpoint, member }) => {
    const fields = [
      `"header":{"cluster_id":${etcd.clusterId},"member_id":${member.id},"revision":${REVISION},"raft_term":${etcd.term}}`,
      `"version":"${member.version}"`,
      `"dbSize":${DB_BYTES}`,
      ...(leader ? [`"leader":${leader.id}`] : []),
      `"raftIndex":${etcd.index}`,
      `"raftTerm":${etcd.term}`,
      `"raftAppliedIndex":${etcd.index}`,
      ...(leader ? [] : ['"errors":["etcdserver: no leader"]']),
      `"dbSizeInUse":${DB_BYTES_IN_USE}`,
      ...(member.isLearner ? ['"isLearner":true'] : []),
      `"storageVersion":"${member.version.replace(/\.\d+$/, '.0')}"`,
      `"dbSizeQuota":${QUOTA_BYTES}`,
      '"downgradeInfo":{}',
    ];
    return `{"Endpoint":"${endpoint}","Status":{${fields.join(',')}}}`;
  });
  return all.length === 0 ? 'null' : `[${all.join(',')}]`;
}
