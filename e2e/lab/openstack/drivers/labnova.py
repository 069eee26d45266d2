"""nova-compute, but for two things of lxc machines' volumes. Nova gives such a disk no device name and the bus "lxc", which
libvirt does not know. With a name (disk_prefix, nova.sh) and a bus that libvirt knows, libvirt-lxc makes the device's node
in the running machine, and takes it away again. And no udev runs there, which elsewhere links /dev/disk/by-id/virtio-SERIAL
to a disk: CSI drivers look for a volume by that name, so the link is made, and taken away, with the disk."""
import os
import sys
from xml.etree import ElementTree

from nova.cmd.compute import main as compute_main
from nova.virt.libvirt import driver
from oslo_concurrency import processutils
from oslo_log import log

LOG = log.getLogger('nova.labnova')
LXC_EXEC = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'lxc-exec')
# As udev does: the first twenty characters of the serial number, which is the volume's id.
LINK = 'mkdir -p /dev/disk/by-id && ln -sfn "../../$2" "/dev/disk/by-id/virtio-$1"'
UNLINK = 'rm -f "/dev/disk/by-id/virtio-$1"'

libvirt = driver.LibvirtDriver
plain_config, plain_attach, plain_detach, plain_create = (
    libvirt._get_volume_config, libvirt.attach_volume, libvirt.detach_volume, libvirt._create_guest)


def in_machine(instance, script, serial, device):
    """A disk without its link is a disk still: what fails is told in the log only."""
    try:
        processutils.execute(LXC_EXEC, instance.name, 'sh', '-c', script, 'sh', serial[:20], device)
    except (processutils.ProcessExecutionError, OSError) as error:
        LOG.warning('by-id link of volume %s (%s) in %s: %s', serial, device, instance.name, error)


def volume_config(self, instance, connection_info, disk_info):
    conf = plain_config(self, instance, connection_info, disk_info)
    conf.target_bus = 'virtio'
    return conf


def attach_volume(self, context, connection_info, instance, mountpoint, *args, **kwargs):
    plain_attach(self, context, connection_info, instance, mountpoint, *args, **kwargs)
    in_machine(instance, LINK, connection_info['serial'], os.path.basename(mountpoint))


def detach_volume(self, context, connection_info, instance, mountpoint, *args, **kwargs):
    plain_detach(self, context, connection_info, instance, mountpoint, *args, **kwargs)
    in_machine(instance, UNLINK, connection_info['serial'], os.path.basename(mountpoint))


def disks(xml):
    """Serial number and device of each disk that has a serial number, in a domain's XML."""
    for disk in ElementTree.fromstring(xml).iterfind('devices/disk'):
        if disk.findtext('serial'):
            yield disk.findtext('serial'), disk.find('target').get('dev')


def create_guest(self, context, xml, instance, power_on=True, **kwargs):
    """A machine that starts anew has a new /dev."""
    guest = plain_create(self, context, xml, instance, power_on=power_on, **kwargs)
    for serial, device in disks(xml) if power_on else ():
        in_machine(instance, LINK, serial, device)
    return guest


def main():
    sys.argv[0] = 'nova-compute'
    libvirt._get_volume_config = volume_config
    libvirt.attach_volume, libvirt.detach_volume, libvirt._create_guest = attach_volume, detach_volume, create_guest
    compute_main()
