"""Octavia without amphorae. The VIP is a real port with a real security group.

The libvirt profile's amphora driver gives it a namespace in which haproxy runs,
plugged as the DHCP agent plugs its own ports; the fake profile uses Octavia's
no-op there, so that every call works and no traffic is balanced."""
import collections
import ipaddress
import os
import shutil
import signal
import subprocess
import sys

from octavia.amphorae.drivers.noop_driver.driver import NoopAmphoraLoadBalancerDriver
from octavia.network import base
from octavia.network.drivers.neutron.allowed_address_pairs import AllowedAddressPairsDriver
from octavia.network.drivers.noop_driver.driver import NoopNetworkDriver

DIR = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'octavia')
_neutron = []


def neutron():
    if not _neutron:
        _neutron.append(AllowedAddressPairsDriver())
    return _neutron[0]


def sh(*command, check=True):
    return subprocess.run(command, check=check, capture_output=True, text=True)


class LabNetworkDriver(NoopNetworkDriver):
    def allocate_vip(self, load_balancer):
        return neutron().allocate_vip(load_balancer)

    def deallocate_vip(self, vip):
        remove(vip.load_balancer)
        neutron().deallocate_vip(vip)

    def update_vip_sg(self, load_balancer, vip):
        return neutron().update_vip_sg(load_balancer, vip)

    def update_vip(self, load_balancer, for_delete=False):
        neutron().update_vip(load_balancer, for_delete)

    # what is not in neutron is an amphora's, and is the no-op driver's own
    def get_network(self, network_id, context=None):
        try:
            return neutron().get_network(network_id, context=context)
        except base.NetworkNotFound:
            return super().get_network(network_id, context=context)

    def get_subnet(self, subnet_id, context=None):
        try:
            return neutron().get_subnet(subnet_id, context=context)
        except base.SubnetNotFound:
            return super().get_subnet(subnet_id, context=context)

    def get_port(self, port_id, context=None):
        try:
            return neutron().get_port(port_id, context=context)
        except base.PortNotFound:
            return super().get_port(port_id, context=context)


class LabAmphoraDriver(NoopAmphoraLoadBalancerDriver):
    def update(self, loadbalancer):
        apply(loadbalancer)

    def start(self, loadbalancer, amphora=None, timeout_dict=None):
        apply(loadbalancer)

    def reload(self, loadbalancer, amphora=None, timeout_dict=None):
        apply(loadbalancer)

    def update_amphora_listeners(self, loadbalancer, amphora, timeout_dict=None):
        apply(loadbalancer)

    def delete(self, listener):
        apply(listener.load_balancer, without=listener.id)


def namespace(lb):
    return f'lab-lb-{lb.id}'


def plug(lb):
    ns, port_id = namespace(lb), lb.vip.port_id
    if os.path.exists(f'/run/netns/{ns}'):
        return
    client = neutron().neutron_client
    port = client.update_port(port_id, {'port': {'binding:host_id': 'compute-1', 'admin_state_up': True}})['port']
    tap, inner = f'tap{port_id[:11]}', f'lb-{port_id[:11]}'
    sh('ip', 'netns', 'add', ns)
    sh('ip', 'link', 'add', tap, 'type', 'veth', 'peer', 'name', inner, 'address', port['mac_address'])
    sh('ip', 'link', 'set', inner, 'netns', ns)
    mtu = client.show_network(port['network_id'])['network']['mtu']
    inside = ('ip', '-n', ns)
    sh(*inside, 'link', 'set', 'lo', 'up')
    sh(*inside, 'link', 'set', inner, 'mtu', str(mtu), 'up')
    gateway = None
    for fixed in port['fixed_ips']:
        subnet = client.show_subnet(fixed['subnet_id'])['subnet']
        length = ipaddress.ip_network(subnet['cidr']).prefixlen
        sh(*inside, 'addr', 'add', f'{fixed["ip_address"]}/{length}', 'dev', inner)
        gateway = gateway or subnet['gateway_ip']
    if gateway:
        sh(*inside, 'route', 'replace', 'default', 'via', gateway, check=False)
    sh('ip', 'link', 'set', tap, 'mtu', str(mtu), 'up')   # the linuxbridge agent does the rest


def stays(thing):
    return 'DELETE' not in (thing.provisioning_status or '')


def config(lb, without):
    out = ['global', '  maxconn 2000', 'defaults', '  mode tcp', '  timeout connect 5s']
    for l in lb.listeners:
        if not l.enabled or l.id == without or not stays(l):
            continue
        out += [f'frontend f-{l.id}', f'  bind {lb.vip.ip_address}:{l.protocol_port}',
                f'  timeout client {l.timeout_client_data or 50000}']
        cidrs = [c.cidr for c in (l.allowed_cidrs or [])]
        if cidrs:
            out.append(f'  tcp-request connection reject unless {{ src {" ".join(cidrs)} }}')
        pool = l.default_pool
        if pool is None or not pool.enabled or not stays(pool):
            continue
        out += [f'  default_backend b-{l.id}', f'backend b-{l.id}',
                f'  timeout server {l.timeout_member_data or 50000}',
                '  balance ' + {'LEAST_CONNECTIONS': 'leastconn', 'SOURCE_IP': 'source'}.get(
                    pool.lb_algorithm, 'roundrobin')]
        h = pool.health_monitor
        check = ''
        if h is not None and h.enabled and stays(h):
            check = f' check inter {h.delay}s fall {h.fall_threshold} rise {h.rise_threshold}'
            out.append(f'  timeout check {h.timeout}s')
            if h.type in ('HTTP', 'HTTPS'):
                out += [f'  option httpchk {h.http_method or "GET"} {h.url_path or "/"}',
                        f'  http-check expect rstatus {(h.expected_codes or "200").replace(",", "|")}']
                check += ' check-ssl verify none' if h.type == 'HTTPS' else ''
        proxy = ' send-proxy' if pool.protocol == 'PROXY' else ''
        for m in pool.members:
            if m.enabled and stays(m):
                # Health may be told on another port: a node's, of those Services that want their pods on it.
                port = f' port {m.monitor_port}' if check and m.monitor_port else ''
                out.append(f'  server {m.id} {m.ip_address}:{m.protocol_port} weight {m.weight or 1}'
                           f'{check}{port}{proxy}{" backup" if m.backup else ""}')
    return '\n'.join(out) + '\n'


def apply(lb, without=None):
    plug(lb)
    d = os.path.join(DIR, lb.id)
    os.makedirs(d, exist_ok=True)
    text = config(lb, without)
    with open(f'{d}/haproxy.cfg', 'w') as f:
        f.write(text)
    old = running(d)
    if 'frontend' not in text:
        stop(d)
        return
    sh('ip', 'netns', 'exec', namespace(lb), 'haproxy', '-D', '-f', f'{d}/haproxy.cfg', '-p', f'{d}/pid',
       *(['-sf', *old] if old else []))


def running(d):
    try:
        return open(f'{d}/pid').read().split()
    except OSError:
        return []


def stop(d):
    for p in running(d):
        try:
            os.kill(int(p), signal.SIGTERM)
        except OSError:
            pass


def remove(lb):
    d = os.path.join(DIR, lb.id)
    stop(d)
    sh('ip', 'netns', 'del', namespace(lb), check=False)
    sh('ip', 'link', 'del', f'tap{lb.vip.port_id[:11]}', check=False)
    shutil.rmtree(d, ignore_errors=True)


def run_flow(self, func, *args, store=None, **named):
    if named:
        store = {**store, 'amphorae_network_config': collections.defaultdict(dict)}
    self.tf_engine.taskflow_load(func(*args, **named), store=store).run()


def main():
    """The worker, but for one thing: Zed's (unless it has a job board) loses the named argument of a flow, which are the listeners of
    a load balancer that is made in one call with all below it: it is ACTIVE, and does nothing. And that flow lacks an input."""
    from octavia.cmd.octavia_worker import main as worker_main
    from octavia.controller.worker.v2.controller_worker import ControllerWorker
    ControllerWorker.run_flow = run_flow
    sys.argv[0] = 'octavia-worker'
    worker_main()
