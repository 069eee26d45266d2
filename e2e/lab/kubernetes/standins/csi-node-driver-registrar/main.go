// csi-node-driver-registrar of the lab: tells the kubelet of a CSI driver. It stands in for the CSI project's, which is no
// Go module that can be had (docs/lab.md), and takes its flags.
package main

import (
	"context"
	"flag"
	"log"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	registration "k8s.io/kubelet/pkg/apis/pluginregistration/v1"
)

type registrar struct {
	registration.UnimplementedRegistrationServer
	name, endpoint string
}

func (r registrar) GetInfo(context.Context, *registration.InfoRequest) (*registration.PluginInfo, error) {
	return &registration.PluginInfo{Type: registration.CSIPlugin, Name: r.name, Endpoint: r.endpoint, SupportedVersions: []string{"1.0.0"}}, nil
}

// NotifyRegistrationStatus ends the program when the kubelet refused: it is started again, and tries again.
func (r registrar) NotifyRegistrationStatus(_ context.Context, s *registration.RegistrationStatus) (*registration.RegistrationStatusResponse, error) {
	if !s.PluginRegistered {
		log.Fatalf("the kubelet did not register %s: %s", r.name, s.Error)
	}
	log.Printf("%s is registered", r.name)
	return &registration.RegistrationStatusResponse{}, nil
}

func main() {
	address := flag.String("csi-address", "/run/csi/socket", "the driver's socket")
	endpoint := flag.String("kubelet-registration-path", "", "the driver's socket, as the kubelet finds it")
	dir := flag.String("plugin-registration-path", "/registration", "where the kubelet looks for sockets")
	for _, name := range []string{"v", "http-endpoint", "health-port", "timeout"} {
		flag.String(name, "", "taken, without effect")
	}
	flag.Parse()

	connection, err := grpc.NewClient("unix://"+strings.TrimPrefix(*address, "unix://"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	info, err := csi.NewIdentityClient(connection).GetPluginInfo(ctx, &csi.GetPluginInfoRequest{}, grpc.WaitForReady(true))
	cancel()
	if err != nil {
		log.Fatal(err)
	}
	socket := filepath.Join(*dir, info.GetName()+"-reg.sock")
	if err := os.Remove(socket); err != nil && !os.IsNotExist(err) {
		log.Fatal(err)
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		log.Fatal(err)
	}
	server := grpc.NewServer()
	registration.RegisterRegistrationServer(server, registrar{name: info.GetName(), endpoint: *endpoint})
	log.Fatal(server.Serve(listener))
}
