"""Writes clouds.yaml: "lab" is the application credential, "lab-password" and "admin" are users with passwords; "machines"
is "lab-password" at the address where machines reach the APIs.

usage: clouds.py HOST PASSWORD LAB_DIR"""
import json
import os
import sys

HOST, PASSWORD, LAB_DIR = sys.argv[1:]

with open(f'{LAB_DIR}/lab.json') as f:
    lab = json.load(f)
credential = lab['application_credential']
clouds = {'lab': {'auth_type': 'v3applicationcredential', 'auth': {
    'auth_url': lab['auth_url'],
    'application_credential_id': credential['id'],
    'application_credential_secret': credential['secret']}}}
for name, user in (('lab-password', 'lab'), ('admin', 'admin')):
    clouds[name] = {'auth_type': 'password', 'auth': {
        'auth_url': lab['auth_url'], 'username': user, 'password': PASSWORD, 'project_name': user,
        'user_domain_name': 'Default', 'project_domain_name': 'Default'}}
for cloud in clouds.values():
    cloud.update(region_name=lab['region'], identity_api_version=3, interface='public')
if lab['host_address']:
    clouds['machines'] = clouds['lab-password'] | {'region_name': 'Machines'}
    clouds['machines']['auth'] = clouds['lab-password']['auth'] | {'auth_url': lab['auth_url'].replace(HOST, lab['host_address'])}
with open(os.open(f'{LAB_DIR}/clouds.yaml', os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), 'w') as f:
    json.dump({'clouds': clouds}, f, indent=2)      # JSON is YAML
