"""Adds region "Machines" to the catalog: the same services, at the address where machines reach this host.

usage: machines.py HOST PASSWORD ADDRESS"""
import sys

import openstack

HOST, PASSWORD, ADDRESS = sys.argv[1:]

identity = openstack.connect(auth_url=f'http://{HOST}:5000/v3', username='admin', password=PASSWORD, project_name='admin',
                             user_domain_name='Default', project_domain_name='Default', region_name='RegionOne').identity
if 'Machines' not in [r.id for r in identity.regions()]:
    identity.create_region(id='Machines')
endpoints = list(identity.endpoints())
known = {e.service_id for e in endpoints if e.region_id == 'Machines'}
for e in endpoints:
    if e.region_id == 'RegionOne' and e.interface == 'public' and e.service_id not in known:
        identity.create_endpoint(service_id=e.service_id, interface='public', url=e.url.replace(HOST, ADDRESS), region_id='Machines')
