package main

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const metadata = "http://169.254.169.254/openstack/latest/meta_data.json"

type node struct {
	csi.UnimplementedNodeServer
	topology bool
}

func (n *node) NodeGetCapabilities(context.Context, *csi.NodeGetCapabilitiesRequest) (*csi.NodeGetCapabilitiesResponse, error) {
	answer := &csi.NodeGetCapabilitiesResponse{}
	for _, t := range []csi.NodeServiceCapability_RPC_Type{
		csi.NodeServiceCapability_RPC_STAGE_UNSTAGE_VOLUME,
		csi.NodeServiceCapability_RPC_EXPAND_VOLUME,
		csi.NodeServiceCapability_RPC_GET_VOLUME_STATS,
	} {
		answer.Capabilities = append(answer.Capabilities, &csi.NodeServiceCapability{
			Type: &csi.NodeServiceCapability_Rpc{Rpc: &csi.NodeServiceCapability_RPC{Type: t}}})
	}
	return answer, nil
}

// NodeGetInfo asks the metadata service which server this is.
func (n *node) NodeGetInfo(ctx context.Context, _ *csi.NodeGetInfoRequest) (*csi.NodeGetInfoResponse, error) {
	request, err := http.NewRequestWithContext(ctx, "GET", metadata, nil)
	if err != nil {
		return nil, err
	}
	answer, err := (&http.Client{Timeout: 10 * time.Second}).Do(request)
	if err != nil {
		return nil, status.Error(codes.Unavailable, err.Error())
	}
	defer answer.Body.Close()
	var server struct {
		UUID string `json:"uuid"`
		Zone string `json:"availability_zone"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&server); err != nil || server.UUID == "" {
		return nil, status.Errorf(codes.Unavailable, "%s: %s, no uuid: %v", metadata, answer.Status, err)
	}
	info := &csi.NodeGetInfoResponse{NodeId: server.UUID, MaxVolumesPerNode: 16}
	if n.topology {
		info.AccessibleTopology = &csi.Topology{Segments: map[string]string{zoneKey: server.Zone}}
	}
	return info, nil
}

// run answers with what a command printed; what it said on its error output is in the error.
func run(command ...string) (string, error) {
	out, err := exec.Command(command[0], command[1:]...).Output()
	if exit, ok := err.(*exec.ExitError); ok {
		return string(out), status.Errorf(codes.Internal, "%s: %v: %s", strings.Join(command, " "), err, exit.Stderr)
	}
	return string(out), err
}

// mounted says whether something is mounted at a path.
func mounted(path string) (bool, error) {
	table, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return false, err
	}
	if path, err = filepath.EvalSymlinks(path); err != nil {
		return false, nil
	}
	for _, line := range strings.Split(string(table), "\n") {
		if fields := strings.Fields(line); len(fields) > 4 && fields[4] == path {
			return true, nil
		}
	}
	return false, nil
}

// fileSystem is what is on a device; empty for a blank one.
func fileSystem(device string) (string, error) {
	out, err := exec.Command("blkid", "-p", "-s", "TYPE", "-o", "value", device).Output()
	if exit, ok := err.(*exec.ExitError); ok && exit.ExitCode() == 2 {
		return "", nil // blkid's way to say that it found nothing
	}
	return strings.TrimSpace(string(out)), err
}

func (n *node) NodeStageVolume(ctx context.Context, r *csi.NodeStageVolumeRequest) (*csi.NodeStageVolumeResponse, error) {
	if r.GetVolumeCapability() == nil {
		return nil, status.Error(codes.InvalidArgument, "volume capability is missing")
	}
	target, device := r.GetStagingTargetPath(), r.GetPublishContext()["DevicePath"]
	if err := first(missing("volume id", r.GetVolumeId()), missing("staging target path", target), missing("DevicePath of the publish context", device)); err != nil {
		return nil, err
	}
	err := until(ctx, "device "+device, func() (bool, error) {
		_, err := os.Stat(device)
		return err == nil, nil
	})
	if err != nil || r.GetVolumeCapability().GetBlock() != nil {
		return &csi.NodeStageVolumeResponse{}, err
	}
	if err := os.MkdirAll(target, 0o750); err != nil {
		return nil, err
	}
	if there, err := mounted(target); there || err != nil {
		return &csi.NodeStageVolumeResponse{}, err
	}
	kind := r.GetVolumeCapability().GetMount().GetFsType()
	if kind == "" {
		kind = "ext4"
	}
	found, err := fileSystem(device)
	if err != nil {
		return nil, err
	}
	if found == "" {
		if _, err := run("mkfs."+kind, "-q", device); err != nil {
			return nil, err
		}
	} else if found != kind {
		return nil, status.Errorf(codes.FailedPrecondition, "%s holds %s, not %s", device, found, kind)
	}
	options := strings.Join(append([]string{"defaults"}, r.GetVolumeCapability().GetMount().GetMountFlags()...), ",")
	_, err = run("mount", "-t", kind, "-o", options, device, target)
	return &csi.NodeStageVolumeResponse{}, err
}

func (n *node) NodePublishVolume(_ context.Context, r *csi.NodePublishVolumeRequest) (*csi.NodePublishVolumeResponse, error) {
	if r.GetVolumeCapability() == nil {
		return nil, status.Error(codes.InvalidArgument, "volume capability is missing")
	}
	target, source := r.GetTargetPath(), r.GetStagingTargetPath()
	if err := first(missing("volume id", r.GetVolumeId()), missing("target path", target), missing("staging target path", source)); err != nil {
		return nil, err
	}
	if there, err := mounted(target); there || err != nil {
		return &csi.NodePublishVolumeResponse{}, err
	}
	if r.GetVolumeCapability().GetBlock() != nil {
		source = r.GetPublishContext()["DevicePath"]
		if err := os.MkdirAll(filepath.Dir(target), 0o750); err != nil {
			return nil, err
		}
		if err := os.WriteFile(target, nil, 0o640); err != nil {
			return nil, err
		}
	} else if err := os.MkdirAll(target, 0o750); err != nil {
		return nil, err
	}
	if _, err := run("mount", "--bind", source, target); err != nil {
		return nil, err
	}
	if r.GetReadonly() {
		if _, err := run("mount", "-o", "remount,bind,ro", target); err != nil {
			return nil, err
		}
	}
	return &csi.NodePublishVolumeResponse{}, nil
}

// unmount takes away a mount, and the file or folder that it was on.
func unmount(target string) error {
	if there, err := mounted(target); err != nil {
		return err
	} else if there {
		if _, err := run("umount", target); err != nil {
			return err
		}
	}
	if err := os.Remove(target); err != nil && !os.IsNotExist(err) {
		return err
	}
	return nil
}

func (n *node) NodeUnpublishVolume(_ context.Context, r *csi.NodeUnpublishVolumeRequest) (*csi.NodeUnpublishVolumeResponse, error) {
	if err := first(missing("volume id", r.GetVolumeId()), missing("target path", r.GetTargetPath())); err != nil {
		return nil, err
	}
	return &csi.NodeUnpublishVolumeResponse{}, unmount(r.GetTargetPath())
}

func (n *node) NodeUnstageVolume(_ context.Context, r *csi.NodeUnstageVolumeRequest) (*csi.NodeUnstageVolumeResponse, error) {
	if err := first(missing("volume id", r.GetVolumeId()), missing("staging target path", r.GetStagingTargetPath())); err != nil {
		return nil, err
	}
	return &csi.NodeUnstageVolumeResponse{}, unmount(r.GetStagingTargetPath())
}

func (n *node) NodeGetVolumeStats(_ context.Context, r *csi.NodeGetVolumeStatsRequest) (*csi.NodeGetVolumeStatsResponse, error) {
	if err := first(missing("volume id", r.GetVolumeId()), missing("volume path", r.GetVolumePath())); err != nil {
		return nil, err
	}
	var fs unix.Statfs_t
	if there, err := mounted(r.GetVolumePath()); err != nil {
		return nil, err
	} else if !there {
		return nil, status.Errorf(codes.NotFound, "nothing is mounted at %s", r.GetVolumePath())
	}
	if err := unix.Statfs(r.GetVolumePath(), &fs); err != nil {
		return nil, err
	}
	block := int64(fs.Bsize)
	return &csi.NodeGetVolumeStatsResponse{Usage: []*csi.VolumeUsage{
		{Unit: csi.VolumeUsage_BYTES, Total: int64(fs.Blocks) * block, Available: int64(fs.Bavail) * block, Used: int64(fs.Blocks-fs.Bfree) * block},
		{Unit: csi.VolumeUsage_INODES, Total: int64(fs.Files), Available: int64(fs.Ffree), Used: int64(fs.Files - fs.Ffree)},
	}}, nil
}

func (n *node) NodeExpandVolume(_ context.Context, r *csi.NodeExpandVolumeRequest) (*csi.NodeExpandVolumeResponse, error) {
	if err := first(missing("volume id", r.GetVolumeId()), missing("volume path", r.GetVolumePath())); err != nil {
		return nil, err
	}
	if there, err := mounted(r.GetVolumePath()); err != nil {
		return nil, err
	} else if !there {
		return nil, status.Errorf(codes.NotFound, "nothing is mounted at %s", r.GetVolumePath())
	}
	device, err := run("findmnt", "-n", "-o", "SOURCE", "--target", r.GetVolumePath())
	if err != nil {
		return nil, err
	}
	_, err = run("resize2fs", strings.TrimSpace(device))
	return &csi.NodeExpandVolumeResponse{CapacityBytes: r.GetCapacityRange().GetRequiredBytes()}, err
}
