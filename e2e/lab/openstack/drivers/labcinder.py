"""Volumes as sparse files, given to this one machine's guests as loop devices."""
import os
import subprocess

from oslo_config import cfg
from cinder import interface
from cinder.image import image_utils
from cinder.volume import driver


@interface.volumedriver
class FileDriver(driver.VolumeDriver):
    VERSION = '1'
    CI_WIKI_NAME = 'none'

    def _path(self, v):
        return os.path.join(cfg.CONF.state_path, 'volumes', v['name'])

    def check_for_setup_error(self):
        os.makedirs(os.path.join(cfg.CONF.state_path, 'volumes'), exist_ok=True)

    def _update_volume_stats(self):
        self._stats = {'volume_backend_name': 'lab', 'vendor_name': 'lab', 'driver_version': '1',
                       'storage_protocol': 'local', 'total_capacity_gb': 100000, 'free_capacity_gb': 100000,
                       'reserved_percentage': 0, 'multiattach': False, 'thin_provisioning_support': True}

    def create_volume(self, volume):
        with open(self._path(volume), 'ab') as f:
            f.truncate(volume['size'] << 30)

    def delete_volume(self, volume):
        self.remove_export(None, volume)
        if os.path.exists(self._path(volume)):
            os.unlink(self._path(volume))

    def extend_volume(self, volume, new_size):
        os.truncate(self._path(volume), new_size << 30)

    def _copy(self, source, target, size):
        subprocess.run(['cp', '--sparse=always', source, target], check=True)
        os.truncate(target, size << 30)

    def create_snapshot(self, snapshot):
        self._copy(self._path({'name': snapshot['volume_name']}), self._path(snapshot), snapshot['volume_size'])

    def delete_snapshot(self, snapshot):
        if os.path.exists(self._path(snapshot)):
            os.unlink(self._path(snapshot))

    def create_volume_from_snapshot(self, volume, snapshot):
        self._copy(self._path(snapshot), self._path(volume), volume['size'])

    def create_cloned_volume(self, volume, src_vref):
        self._copy(self._path(src_vref), self._path(volume), volume['size'])

    def copy_image_to_volume(self, context, volume, image_service, image_id, disable_sparse=False):
        image_utils.fetch_to_raw(context, image_service, image_id, self._path(volume), '1M', size=volume['size'])
        os.truncate(self._path(volume), volume['size'] << 30)

    def _loops(self, volume):
        out = subprocess.run(['losetup', '-n', '-O', 'NAME', '-j', self._path(volume)],
                             check=True, capture_output=True, text=True).stdout
        return out.split()

    def create_export(self, context, volume, connector):
        pass

    def ensure_export(self, context, volume):
        pass

    def remove_export(self, context, volume):
        for loop in self._loops(volume):
            subprocess.run(['losetup', '-d', loop], check=True)

    def initialize_connection(self, volume, connector):
        loops = self._loops(volume) or [subprocess.run(
            ['losetup', '-f', '--show', self._path(volume)], check=True, capture_output=True, text=True).stdout.strip()]
        return {'driver_volume_type': 'local', 'data': {'device_path': loops[0], 'volume_id': volume['id']}}

    def terminate_connection(self, volume, connector, **kwargs):
        self.remove_export(None, volume)
