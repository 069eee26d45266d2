"""nova-compute, but for one thing: volumes of lxc machines. Nova gives such a disk no device name and the bus "lxc", which
libvirt does not know. With a name (disk_prefix, nova.sh) and a bus that libvirt knows, libvirt-lxc makes the device's node
in the running machine, and takes it away again."""
import sys

from nova.cmd.compute import main as compute_main
from nova.virt.libvirt import driver

plain = driver.LibvirtDriver._get_volume_config


def volume_config(self, instance, connection_info, disk_info):
    conf = plain(self, instance, connection_info, disk_info)
    conf.target_bus = 'virtio'
    return conf


def main():
    sys.argv[0] = 'nova-compute'
    driver.LibvirtDriver._get_volume_config = volume_config
    compute_main()
