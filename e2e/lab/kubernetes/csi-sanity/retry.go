package main

import (
	"context"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// retry asks again where a driver says Internal, every half second for ten seconds. The CSI project's sidecars do so too, and
// drivers count on it: that of Cinder does not wait for a volume that it made, so what comes next may be too early. Nor does it
// wait until one is gone: volumes are listed when the cloud has had time for that.
func retry(ctx context.Context, method string, in, out any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, options ...grpc.CallOption) error {
	if method == "/csi.v1.Controller/ListVolumes" {
		time.Sleep(3 * time.Second)
	}
	for began := time.Now(); ; {
		err := invoke(ctx, method, in, out, conn, options...)
		if status.Code(err) != codes.Internal || time.Since(began) > 10*time.Second {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(500 * time.Millisecond):
		}
	}
}
