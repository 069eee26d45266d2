"""Fills Keystone: roles, the services' users, the catalog, the project and user "lab".

usage: identity.py HOST PASSWORD OCTAVIA CINDER        (the last two: empty or 1)"""
import sys

import openstack

HOST, PASSWORD, OCTAVIA, CINDER = sys.argv[1:]

cloud = openstack.connect(auth_url=f'http://{HOST}:5000/v3', username='admin', password=PASSWORD, project_name='admin',
                          user_domain_name='Default', project_domain_name='Default', region_name='RegionOne')
identity = cloud.identity
roles = {role.name: role for role in identity.roles()}
for name in ('service', 'load-balancer_member', 'creator'):
    if name not in roles:
        roles[name] = identity.create_role(name=name)

project = identity.find_project('service') or identity.create_project(name='service', domain_id='default')
for name in ('nova', 'glance', 'placement', 'neutron', 'cinder', 'octavia'):
    user = identity.find_user(name) or identity.create_user(
        name=name, password=PASSWORD, domain_id='default', default_project_id=project.id)
    for role in ('admin', 'service'):
        identity.assign_project_role_to_user(project, user, roles[role])

services = [('nova', 'compute', f'http://{HOST}:8774/v2.1'),
            ('placement', 'placement', f'http://{HOST}:8778'),
            ('glance', 'image', f'http://{HOST}:9292'),
            ('neutron', 'network', f'http://{HOST}:9696')]
if OCTAVIA:
    services.append(('octavia', 'load-balancer', f'http://{HOST}:9876'))
if CINDER:
    services.append(('cinderv3', 'volumev3', f'http://{HOST}:8776/v3/%(project_id)s'))
for name, kind, url in services:
    service = identity.find_service(name) or identity.create_service(name=name, type=kind)
    if not list(identity.endpoints(service_id=service.id)):
        for interface in ('public', 'internal', 'admin'):
            identity.create_endpoint(service_id=service.id, interface=interface, url=url, region_id='RegionOne')

lab = identity.find_project('lab') or identity.create_project(name='lab', domain_id='default')
user = identity.find_user('lab') or identity.create_user(
    name='lab', password=PASSWORD, domain_id='default', default_project_id=lab.id)
for role in ('member', 'reader', 'load-balancer_member', 'creator'):
    identity.assign_project_role_to_user(lab, user, roles[role])
