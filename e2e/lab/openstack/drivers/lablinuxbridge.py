"""The linuxbridge agent, but for one thing: ebtables over nft cannot delete a rule with --among-src ("Invalid
argument"), and the agent repeats that with ever longer pauses, minutes of them, in which no port is wired. The rule is
the first of its chain, so it is deleted by number; and a repetition ends."""
import tenacity
from neutron.plugins.ml2.drivers.linuxbridge.agent import arp_protect
from neutron.cmd.eventlet.plugins.linuxbridge_neutron_agent import main as agent_main

plain = arp_protect.ebtables
plain.retry.wait = tenacity.wait_exponential(multiplier=0.02, max=1)
plain.retry.stop = tenacity.stop_after_attempt(10)


def ebtables(comm, table='nat'):
    if comm[0] == '-D' and '--among-src' in comm:
        comm = ['-D', comm[1], '1']
    return plain(comm, table)


def main():
    arp_protect.ebtables = ebtables
    agent_main()
