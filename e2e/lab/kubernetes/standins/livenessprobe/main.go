// livenessprobe of the lab: answers /healthz as a CSI driver answers Probe. It stands in for the CSI project's, which is no
// Go module that can be had (docs/lab.md), and takes its flags.
package main

import (
	"context"
	"flag"
	"log"
	"net/http"
	"strings"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

func main() {
	address := flag.String("csi-address", "/run/csi/socket", "the driver's socket")
	port := flag.String("health-port", "9808", "where /healthz answers")
	endpoint := flag.String("http-endpoint", "", "where /healthz answers, with an address")
	timeout := flag.Duration("probe-timeout", time.Second, "how long the driver may take")
	for _, name := range []string{"v", "metrics-address"} {
		flag.String(name, "", "taken, without effect")
	}
	flag.Parse()

	connection, err := grpc.NewClient("unix://"+strings.TrimPrefix(*address, "unix://"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		log.Fatal(err)
	}
	driver := csi.NewIdentityClient(connection)
	http.HandleFunc("/healthz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), *timeout)
		defer cancel()
		answer, err := driver.Probe(ctx, &csi.ProbeRequest{})
		if err != nil || (answer.GetReady() != nil && !answer.GetReady().GetValue()) {
			http.Error(w, "the driver is not ready", http.StatusInternalServerError)
		}
	})
	where := ":" + *port
	if *endpoint != "" {
		where = *endpoint
	}
	log.Fatal(http.ListenAndServe(where, nil))
}
