package main

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	gib     = int64(1) << 30
	zoneKey = "topology.cinder.csi.openstack.org/zone"
)

type object = map[string]any

type controller struct {
	csi.UnimplementedControllerServer
	cloud    *cloud
	cluster  string
	topology bool
}

func missing(name, value string) error {
	if value == "" {
		return status.Errorf(codes.InvalidArgument, "%s is missing", name)
	}
	return nil
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// capable says what of the capabilities is not there: a volume is attached to one machine at a time.
func capable(capabilities []*csi.VolumeCapability) error {
	if len(capabilities) == 0 {
		return status.Error(codes.InvalidArgument, "volume capabilities are missing")
	}
	for _, c := range capabilities {
		switch mode := c.GetAccessMode().GetMode(); mode {
		case csi.VolumeCapability_AccessMode_SINGLE_NODE_WRITER, csi.VolumeCapability_AccessMode_SINGLE_NODE_READER_ONLY:
		default:
			return status.Errorf(codes.InvalidArgument, "access mode %s is not to be had", mode)
		}
	}
	return nil
}

func (s *controller) ControllerGetCapabilities(context.Context, *csi.ControllerGetCapabilitiesRequest) (*csi.ControllerGetCapabilitiesResponse, error) {
	answer := &csi.ControllerGetCapabilitiesResponse{}
	for _, t := range []csi.ControllerServiceCapability_RPC_Type{
		csi.ControllerServiceCapability_RPC_CREATE_DELETE_VOLUME,
		csi.ControllerServiceCapability_RPC_PUBLISH_UNPUBLISH_VOLUME,
		csi.ControllerServiceCapability_RPC_LIST_VOLUMES,
		csi.ControllerServiceCapability_RPC_LIST_VOLUMES_PUBLISHED_NODES,
		csi.ControllerServiceCapability_RPC_CREATE_DELETE_SNAPSHOT,
		csi.ControllerServiceCapability_RPC_LIST_SNAPSHOTS,
		csi.ControllerServiceCapability_RPC_CLONE_VOLUME,
		csi.ControllerServiceCapability_RPC_EXPAND_VOLUME,
	} {
		answer.Capabilities = append(answer.Capabilities, &csi.ControllerServiceCapability{
			Type: &csi.ControllerServiceCapability_Rpc{Rpc: &csi.ControllerServiceCapability_RPC{Type: t}}})
	}
	return answer, nil
}

// gigabytes is the size in GiB for a range of bytes; 1 where none is asked for.
func gigabytes(r *csi.CapacityRange) (int64, error) {
	size := max(1, (r.GetRequiredBytes()+gib-1)/gib)
	if limit := r.GetLimitBytes(); limit > 0 && size*gib > limit {
		return 0, status.Errorf(codes.OutOfRange, "%d GiB are more than the limit of %d bytes", size, limit)
	}
	return size, nil
}

func (s *controller) CreateVolume(ctx context.Context, r *csi.CreateVolumeRequest) (*csi.CreateVolumeResponse, error) {
	size, err := gigabytes(r.GetCapacityRange())
	if err := first(missing("name", r.GetName()), capable(r.GetVolumeCapabilities()), err); err != nil {
		return nil, err
	}
	var known struct{ Volumes []volume }
	if err := s.cloud.call(ctx, blockStorage, "GET", "/volumes/detail?name="+url.QueryEscape(r.GetName()), nil, &known); err != nil {
		return nil, err
	}
	if len(known.Volumes) > 0 {
		v := known.Volumes[0]
		if v.Size != size {
			return nil, status.Errorf(codes.AlreadyExists, "volume %s is there with %d GiB, not %d", v.Name, v.Size, size)
		}
		made, err := s.cloud.settled(ctx, v.ID, "available", "in-use")
		return s.created(made, r.GetVolumeContentSource()), err
	}
	spec := object{"name": r.GetName(), "size": size, "description": "Created by the CSI driver", "metadata": map[string]string{driverName + "/cluster": s.cluster}}
	if t := r.GetParameters()["type"]; t != "" {
		spec["volume_type"] = t
	}
	if zone := r.GetParameters()["availability"]; zone != "" {
		spec["availability_zone"] = zone
	}
	if from := r.GetVolumeContentSource().GetSnapshot(); from != nil {
		if _, err := s.snapshot(ctx, from.GetSnapshotId()); err != nil {
			return nil, err
		}
		spec["snapshot_id"] = from.GetSnapshotId()
	}
	if from := r.GetVolumeContentSource().GetVolume(); from != nil {
		if _, err := s.cloud.volume(ctx, from.GetVolumeId()); err != nil {
			return nil, err
		}
		spec["source_volid"] = from.GetVolumeId()
	}
	var made struct{ Volume volume }
	if err := s.cloud.call(ctx, blockStorage, "POST", "/volumes", object{"volume": spec}, &made); err != nil {
		if isStatus(err, http.StatusRequestEntityTooLarge, http.StatusForbidden) {
			return nil, status.Error(codes.ResourceExhausted, err.Error())
		}
		return nil, err
	}
	v, err := s.cloud.settled(ctx, made.Volume.ID, "available")
	return s.created(v, r.GetVolumeContentSource()), err
}

func (s *controller) created(v *volume, from *csi.VolumeContentSource) *csi.CreateVolumeResponse {
	if v == nil {
		return nil
	}
	answer := &csi.Volume{VolumeId: v.ID, CapacityBytes: v.Size * gib, ContentSource: from}
	if s.topology {
		answer.AccessibleTopology = []*csi.Topology{{Segments: map[string]string{zoneKey: v.Zone}}}
	}
	return &csi.CreateVolumeResponse{Volume: answer}
}

func (s *controller) DeleteVolume(ctx context.Context, r *csi.DeleteVolumeRequest) (*csi.DeleteVolumeResponse, error) {
	if err := missing("volume id", r.GetVolumeId()); err != nil {
		return nil, err
	}
	id := r.GetVolumeId()
	err := s.cloud.call(ctx, blockStorage, "DELETE", "/volumes/"+id, nil, nil)
	if isStatus(err, http.StatusBadRequest) {
		// Also the answer where it is being deleted.
		if v, e := s.cloud.volume(ctx, id); e == nil && v.Status != "deleting" {
			return nil, status.Error(codes.FailedPrecondition, err.Error())
		}
	} else if err != nil && !isStatus(err, http.StatusNotFound) {
		return nil, err
	}
	err = until(ctx, "volume "+id+" deleted", func() (bool, error) {
		_, err := s.cloud.volume(ctx, id)
		if status.Code(err) == codes.NotFound {
			return true, nil
		}
		return false, err
	})
	if err != nil {
		return nil, err
	}
	return &csi.DeleteVolumeResponse{}, nil
}

func (s *controller) ControllerPublishVolume(ctx context.Context, r *csi.ControllerPublishVolumeRequest) (*csi.ControllerPublishVolumeResponse, error) {
	if r.GetVolumeCapability() == nil {
		return nil, status.Error(codes.InvalidArgument, "volume capability is missing")
	}
	if err := first(missing("volume id", r.GetVolumeId()), missing("node id", r.GetNodeId()), capable([]*csi.VolumeCapability{r.GetVolumeCapability()})); err != nil {
		return nil, err
	}
	v, err := s.cloud.volume(ctx, r.GetVolumeId())
	if err != nil {
		return nil, err
	}
	if err := s.cloud.call(ctx, compute, "GET", "/servers/"+r.GetNodeId(), nil, nil); isStatus(err, http.StatusNotFound) {
		return nil, status.Errorf(codes.NotFound, "there is no server %s", r.GetNodeId())
	} else if err != nil {
		return nil, err
	}
	for _, a := range v.Attachments {
		if a.ServerID != r.GetNodeId() {
			return nil, status.Errorf(codes.FailedPrecondition, "volume %s is attached to server %s", v.ID, a.ServerID)
		}
	}
	if len(v.Attachments) == 0 {
		in := object{"volumeAttachment": object{"volumeId": v.ID}}
		if err := s.cloud.call(ctx, compute, "POST", "/servers/"+r.GetNodeId()+"/os-volume_attachments", in, nil); err != nil {
			return nil, err
		}
	}
	if v, err = s.cloud.settled(ctx, v.ID, "in-use"); err != nil {
		return nil, err
	}
	return &csi.ControllerPublishVolumeResponse{PublishContext: map[string]string{"DevicePath": v.Attachments[0].Device}}, nil
}

func (s *controller) ControllerUnpublishVolume(ctx context.Context, r *csi.ControllerUnpublishVolumeRequest) (*csi.ControllerUnpublishVolumeResponse, error) {
	if err := missing("volume id", r.GetVolumeId()); err != nil {
		return nil, err
	}
	v, err := s.cloud.volume(ctx, r.GetVolumeId())
	if status.Code(err) == codes.NotFound {
		return &csi.ControllerUnpublishVolumeResponse{}, nil
	} else if err != nil {
		return nil, err
	}
	for _, a := range v.Attachments {
		if r.GetNodeId() != "" && a.ServerID != r.GetNodeId() {
			continue
		}
		err := s.cloud.call(ctx, compute, "DELETE", "/servers/"+a.ServerID+"/os-volume_attachments/"+v.ID, nil, nil)
		if err != nil && !isStatus(err, http.StatusNotFound) {
			return nil, err
		}
		if _, err := s.cloud.settled(ctx, v.ID, "available"); err != nil {
			return nil, err
		}
	}
	return &csi.ControllerUnpublishVolumeResponse{}, nil
}

func (s *controller) ValidateVolumeCapabilities(ctx context.Context, r *csi.ValidateVolumeCapabilitiesRequest) (*csi.ValidateVolumeCapabilitiesResponse, error) {
	if err := missing("volume id", r.GetVolumeId()); err != nil {
		return nil, err
	}
	if len(r.GetVolumeCapabilities()) == 0 {
		return nil, status.Error(codes.InvalidArgument, "volume capabilities are missing")
	}
	if _, err := s.cloud.volume(ctx, r.GetVolumeId()); err != nil {
		return nil, err
	}
	if err := capable(r.GetVolumeCapabilities()); err != nil {
		return &csi.ValidateVolumeCapabilitiesResponse{Message: err.Error()}, nil
	}
	return &csi.ValidateVolumeCapabilitiesResponse{Confirmed: &csi.ValidateVolumeCapabilitiesResponse_Confirmed{VolumeCapabilities: r.GetVolumeCapabilities()}}, nil
}

// page is the part of a query that asks for a page.
func page(token string, entries int32) string {
	query := url.Values{}
	if token != "" {
		query.Set("marker", token)
	}
	if entries > 0 {
		query.Set("limit", strconv.Itoa(int(entries)))
	}
	return query.Encode()
}

func (s *controller) ListVolumes(ctx context.Context, r *csi.ListVolumesRequest) (*csi.ListVolumesResponse, error) {
	var known struct{ Volumes []volume }
	err := s.cloud.call(ctx, blockStorage, "GET", "/volumes/detail?"+page(r.GetStartingToken(), r.GetMaxEntries()), nil, &known)
	if isStatus(err, http.StatusNotFound, http.StatusBadRequest) {
		return nil, status.Errorf(codes.Aborted, "starting token %q is not good", r.GetStartingToken())
	} else if err != nil {
		return nil, err
	}
	answer := &csi.ListVolumesResponse{}
	for _, v := range known.Volumes {
		nodes := []string{}
		for _, a := range v.Attachments {
			nodes = append(nodes, a.ServerID)
		}
		answer.Entries = append(answer.Entries, &csi.ListVolumesResponse_Entry{
			Volume: &csi.Volume{VolumeId: v.ID, CapacityBytes: v.Size * gib},
			Status: &csi.ListVolumesResponse_VolumeStatus{PublishedNodeIds: nodes}})
		if r.GetMaxEntries() > 0 && len(answer.Entries) == int(r.GetMaxEntries()) {
			answer.NextToken = v.ID
		}
	}
	return answer, nil
}

func (s *controller) ControllerExpandVolume(ctx context.Context, r *csi.ControllerExpandVolumeRequest) (*csi.ControllerExpandVolumeResponse, error) {
	if r.GetCapacityRange() == nil {
		return nil, status.Error(codes.InvalidArgument, "capacity range is missing")
	}
	size, err := gigabytes(r.GetCapacityRange())
	if err := first(missing("volume id", r.GetVolumeId()), err); err != nil {
		return nil, err
	}
	v, err := s.cloud.volume(ctx, r.GetVolumeId())
	if err != nil {
		return nil, err
	}
	if v.Size < size {
		err := s.cloud.call(ctx, blockStorage, "POST", "/volumes/"+v.ID+"/action", object{"os-extend": object{"new_size": size}}, nil)
		if isStatus(err, http.StatusBadRequest) {
			return nil, status.Error(codes.FailedPrecondition, err.Error())
		} else if err != nil {
			return nil, err
		}
		if v, err = s.cloud.settled(ctx, v.ID, "available", "in-use"); err != nil {
			return nil, err
		}
	}
	return &csi.ControllerExpandVolumeResponse{CapacityBytes: v.Size * gib, NodeExpansionRequired: r.GetVolumeCapability().GetBlock() == nil}, nil
}
