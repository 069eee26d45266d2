"""An ML2 mechanism driver that needs no agent: every port with a host binds at
once, to the first segment, and is ACTIVE; one whose host is taken away is DOWN."""
from neutron_lib import constants
from neutron_lib.api.definitions import portbindings
from neutron_lib.plugins import directory
from neutron_lib.plugins.ml2 import api


class LabMechanismDriver(api.MechanismDriver):
    def initialize(self):
        pass

    @property
    def connectivity(self):
        return portbindings.CONNECTIVITY_L2

    def bind_port(self, context):
        for segment in context.segments_to_bind:
            context.set_binding(segment[api.ID], portbindings.VIF_TYPE_BRIDGE,
                                {portbindings.CAP_PORT_FILTER: True,
                                 portbindings.VIF_DETAILS_CONNECTIVITY:
                                     portbindings.CONNECTIVITY_L2},
                                status=constants.PORT_STATUS_ACTIVE)
            return

    def update_port_postcommit(self, context):
        if context.original_host and not context.host:
            directory.get_plugin().update_port_status(
                context._plugin_context, context.current['id'],
                constants.PORT_STATUS_DOWN)
