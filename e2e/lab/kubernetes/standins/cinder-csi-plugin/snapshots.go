package main

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"
)

func (s *controller) snapshot(ctx context.Context, id string) (*snapshot, error) {
	var answer struct{ Snapshot snapshot }
	err := s.cloud.call(ctx, blockStorage, "GET", "/snapshots/"+id, nil, &answer)
	if isStatus(err, http.StatusNotFound, http.StatusBadRequest) {
		return nil, status.Errorf(codes.NotFound, "there is no snapshot %s", id)
	}
	return &answer.Snapshot, err
}

func described(s *snapshot) *csi.Snapshot {
	answer := &csi.Snapshot{SnapshotId: s.ID, SourceVolumeId: s.VolumeID, SizeBytes: s.Size * gib, ReadyToUse: s.Status == "available"}
	if at, err := time.Parse("2006-01-02T15:04:05.999999", s.Created); err == nil {
		answer.CreationTime = timestamppb.New(at)
	}
	return answer
}

func (s *controller) CreateSnapshot(ctx context.Context, r *csi.CreateSnapshotRequest) (*csi.CreateSnapshotResponse, error) {
	if err := first(missing("name", r.GetName()), missing("source volume id", r.GetSourceVolumeId())); err != nil {
		return nil, err
	}
	var known struct{ Snapshots []snapshot }
	if err := s.cloud.call(ctx, blockStorage, "GET", "/snapshots/detail?name="+url.QueryEscape(r.GetName()), nil, &known); err != nil {
		return nil, err
	}
	id := ""
	if len(known.Snapshots) > 0 {
		id = known.Snapshots[0].ID
		if of := known.Snapshots[0].VolumeID; of != r.GetSourceVolumeId() {
			return nil, status.Errorf(codes.AlreadyExists, "snapshot %s is there, of volume %s", r.GetName(), of)
		}
	} else {
		var made struct{ Snapshot snapshot }
		in := object{"snapshot": object{"name": r.GetName(), "volume_id": r.GetSourceVolumeId(), "force": true}}
		err := s.cloud.call(ctx, blockStorage, "POST", "/snapshots", in, &made)
		if isStatus(err, http.StatusNotFound, http.StatusBadRequest) {
			return nil, status.Error(codes.NotFound, err.Error())
		} else if err != nil {
			return nil, err
		}
		id = made.Snapshot.ID
	}
	var taken *snapshot
	err := until(ctx, "snapshot "+id, func() (done bool, err error) {
		taken, err = s.snapshot(ctx, id)
		if err == nil && taken.Status == "error" {
			err = status.Errorf(codes.Internal, "snapshot %s is in state error", id)
		}
		return err == nil && taken.Status == "available", err
	})
	if err != nil {
		return nil, err
	}
	return &csi.CreateSnapshotResponse{Snapshot: described(taken)}, nil
}

func (s *controller) DeleteSnapshot(ctx context.Context, r *csi.DeleteSnapshotRequest) (*csi.DeleteSnapshotResponse, error) {
	if err := missing("snapshot id", r.GetSnapshotId()); err != nil {
		return nil, err
	}
	err := s.cloud.call(ctx, blockStorage, "DELETE", "/snapshots/"+r.GetSnapshotId(), nil, nil)
	if err != nil && !isStatus(err, http.StatusNotFound) {
		return nil, err
	}
	// Its volume cannot be deleted before it is gone.
	err = until(ctx, "snapshot "+r.GetSnapshotId()+" deleted", func() (bool, error) {
		_, err := s.snapshot(ctx, r.GetSnapshotId())
		if status.Code(err) == codes.NotFound {
			return true, nil
		}
		return false, err
	})
	return &csi.DeleteSnapshotResponse{}, err
}

func (s *controller) ListSnapshots(ctx context.Context, r *csi.ListSnapshotsRequest) (*csi.ListSnapshotsResponse, error) {
	answer := &csi.ListSnapshotsResponse{}
	if id := r.GetSnapshotId(); id != "" {
		one, err := s.snapshot(ctx, id)
		if status.Code(err) == codes.NotFound {
			return answer, nil
		} else if err != nil {
			return nil, err
		}
		answer.Entries = append(answer.Entries, &csi.ListSnapshotsResponse_Entry{Snapshot: described(one)})
		return answer, nil
	}
	query := page(r.GetStartingToken(), r.GetMaxEntries())
	if of := r.GetSourceVolumeId(); of != "" {
		query += "&volume_id=" + url.QueryEscape(of)
	}
	var known struct{ Snapshots []snapshot }
	if err := s.cloud.call(ctx, blockStorage, "GET", "/snapshots/detail?"+query, nil, &known); isStatus(err, http.StatusNotFound, http.StatusBadRequest) {
		return nil, status.Errorf(codes.Aborted, "starting token %q is not good", r.GetStartingToken())
	} else if err != nil {
		return nil, err
	}
	for i := range known.Snapshots {
		answer.Entries = append(answer.Entries, &csi.ListSnapshotsResponse_Entry{Snapshot: described(&known.Snapshots[i])})
		if r.GetMaxEntries() > 0 && len(answer.Entries) == int(r.GetMaxEntries()) {
			answer.NextToken = known.Snapshots[i].ID
		}
	}
	return answer, nil
}
