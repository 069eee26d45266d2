"""Makes flavors, the guest image, the external network and an application credential; writes lab.json (mode 600).

usage: project.py HOST PASSWORD PROFILE LAB_DIR EXT_NET EXT_CIDR VIRT_TYPE CINDER"""
import json
import os
import sys

import openstack

HOST, PASSWORD, PROFILE, LAB_DIR, EXT_NET, EXT_CIDR, VIRT_TYPE, CINDER = sys.argv[1:]
FLAVORS = (('m1.tiny', 1, 256, 1), ('m1.small', 1, 1024, 5), ('m1.medium', 2, 2048, 10), ('m1.large', 4, 8192, 40))


def connect(who):
    return openstack.connect(auth_url=f'http://{HOST}:5000/v3', username=who, password=PASSWORD, project_name=who,
                             user_domain_name='Default', project_domain_name='Default', region_name='RegionOne')


admin, lab = connect('admin'), connect('lab')


def flavor(name, vcpus, ram, disk):
    found = admin.compute.find_flavor(name)
    return (found or admin.compute.create_flavor(name=name, vcpus=vcpus, ram=ram, disk=disk, is_public=True)).id


def image(name, path, disk_format, **properties):
    found = admin.image.find_image(name)
    if found:
        return found.id
    container = disk_format if disk_format in ('aki', 'ari') else 'bare'
    made = admin.image.create_image(name=name, disk_format=disk_format, container_format=container, visibility='public',
                                    allow_duplicates=True, **properties)
    with open(path, 'rb') as f:
        made.data = f
        made.upload(admin.image)
    return made.id


def guest_image():
    if PROFILE == 'fake':
        return image('node', f'{LAB_DIR}/node.img', 'raw')
    if VIRT_TYPE == 'lxc':
        return image('guest', f'{LAB_DIR}/guest/root.img', 'raw')
    # Nova refuses "ami" roots: the root is raw, kernel and ramdisk are images of their own.
    return image('guest', f'{LAB_DIR}/guest/root.img', 'raw',
                 kernel_id=image('guest-kernel', f'{LAB_DIR}/guest/vmlinuz', 'aki'),
                 ramdisk_id=image('guest-ramdisk', f'{LAB_DIR}/guest/initrd', 'ari'),
                 os_command_line='console=ttyS0 quiet panic=1')


def external_network():
    network = admin.network.find_network('public') or admin.network.create_network(
        name='public', is_router_external=True, provider_network_type='flat', provider_physical_network='public')
    if not list(admin.network.subnets(network_id=network.id)):
        admin.network.create_subnet(network_id=network.id, ip_version=4, cidr=EXT_CIDR, is_dhcp_enabled=False,
                                    gateway_ip=f'{EXT_NET}.1', name='public',
                                    allocation_pools=[{'start': f'{EXT_NET}.10', 'end': f'{EXT_NET}.250'}])
    return network.id


if CINDER and 'lab' not in [t.name for t in admin.block_storage.types()]:
    admin.block_storage.create_type(name='lab', extra_specs={'volume_backend_name': 'lab'})
credential = lab.identity.create_application_credential(
    user=lab.session.get_user_id(), name=f'lab-{os.getpid()}', unrestricted=False)
out = {
    'auth_url': f'http://{HOST}:5000/v3',
    'region': 'RegionOne',
    'profile': PROFILE,
    'flavors': {name: flavor(name, *size) for name, *size in FLAVORS},
    'image': guest_image(),
    'external_network': external_network(),
    # where machines reach this host, in front of their router
    'host_address': f'{EXT_NET}.1' if PROFILE == 'libvirt' else None,
    'application_credential': {'id': credential.id, 'secret': credential.secret},
    'project_id': lab.session.get_project_id(),
}
with open(os.open(f'{LAB_DIR}/lab.json', os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), 'w') as f:
    json.dump(out, f, indent=2)
