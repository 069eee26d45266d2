// cinder-csi-plugin of the lab: a CSI driver for Cinder volumes that Nova attaches. It stands in for the one of
// kubernetes/cloud-provider-openstack, which cannot be had as a Go module that verifies (docs/lab.md): same name, same
// flags, same cloud.conf, so that the bundle cinder-csi runs as it ships, with the CSI project's own sidecars.
package main

import (
	"context"
	"flag"
	"log"
	"net"
	"os"
	"strings"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

const driverName = "cinder.csi.openstack.org"

// version is what GetPluginInfo says; set when it is linked.
var version = "lab"

type identity struct {
	csi.UnimplementedIdentityServer
	controller bool
}

func (i identity) GetPluginInfo(context.Context, *csi.GetPluginInfoRequest) (*csi.GetPluginInfoResponse, error) {
	return &csi.GetPluginInfoResponse{Name: driverName, VendorVersion: version}, nil
}

func (i identity) Probe(context.Context, *csi.ProbeRequest) (*csi.ProbeResponse, error) {
	return &csi.ProbeResponse{Ready: wrapperspb.Bool(true)}, nil
}

func (i identity) GetPluginCapabilities(context.Context, *csi.GetPluginCapabilitiesRequest) (*csi.GetPluginCapabilitiesResponse, error) {
	service := func(t csi.PluginCapability_Service_Type) *csi.PluginCapability {
		return &csi.PluginCapability{Type: &csi.PluginCapability_Service_{Service: &csi.PluginCapability_Service{Type: t}}}
	}
	answer := &csi.GetPluginCapabilitiesResponse{Capabilities: []*csi.PluginCapability{
		service(csi.PluginCapability_Service_VOLUME_ACCESSIBILITY_CONSTRAINTS),
		{Type: &csi.PluginCapability_VolumeExpansion_{VolumeExpansion: &csi.PluginCapability_VolumeExpansion{Type: csi.PluginCapability_VolumeExpansion_OFFLINE}}},
	}}
	if i.controller {
		answer.Capabilities = append(answer.Capabilities, service(csi.PluginCapability_Service_CONTROLLER_SERVICE))
	}
	return answer, nil
}

// logged writes down every call that fails; no request is logged, since it may hold secrets.
func logged(ctx context.Context, request any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	answer, err := handler(ctx, request)
	if err != nil {
		if status.Code(err) == codes.Unknown {
			err = status.Error(codes.Internal, err.Error())
		}
		log.Printf("%s: %v", info.FullMethod, err)
	}
	return answer, err
}

func main() {
	endpoint := flag.String("endpoint", "unix://tmp/csi.sock", "where to listen")
	var cloudConfigs []string
	flag.Func("cloud-config", "cloud.conf; may be repeated, the last one that says something holds", func(file string) error {
		cloudConfigs = append(cloudConfigs, file)
		return nil
	})
	cluster := flag.String("cluster", "", "name of the cluster, in the volumes' metadata")
	withController := flag.Bool("provide-controller-service", true, "serve the controller's calls")
	withNode := flag.Bool("provide-node-service", true, "serve the node's calls")
	for _, name := range []string{"v", "http-endpoint", "additional-topology"} {
		flag.String(name, "", "taken, without effect")
	}
	for _, name := range []string{"pvc-annotations", "node-service-no-os-client"} {
		flag.Bool(name, false, "taken, without effect")
	}
	topology := flag.Bool("with-topology", true, "name the zone of nodes and volumes")
	flag.Parse()

	path := strings.TrimPrefix(strings.TrimPrefix(*endpoint, "unix:"), "//")
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		log.Fatal(err)
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		log.Fatal(err)
	}
	server := grpc.NewServer(grpc.UnaryInterceptor(logged))
	csi.RegisterIdentityServer(server, identity{controller: *withController})
	if *withController {
		cloud, err := newCloud(cloudConfigs)
		if err != nil {
			log.Fatal(err)
		}
		csi.RegisterControllerServer(server, &controller{cloud: cloud, cluster: *cluster, topology: *topology})
	}
	if *withNode {
		csi.RegisterNodeServer(server, &node{topology: *topology})
	}
	log.Printf("%s %s on %s", driverName, version, path)
	log.Fatal(server.Serve(listener))
}
