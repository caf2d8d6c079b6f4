//go:build linux

package main

import (
	"context"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// tripper is what the second process offers over gRPC.
type tripper interface {
	trip(context.Context, *wrapperspb.UInt64Value) (*wrapperspb.UInt64Value, error)
}

func (Echo) trip(_ context.Context, v *wrapperspb.UInt64Value) (*wrapperspb.UInt64Value, error) {
	return wrapperspb.UInt64(v.Value + 1), nil
}

const (
	tripService = "gopeer.Echo"
	tripMethod  = "Trip"
)

// tripServer is what protoc would write for a service with one method.
var tripServer = grpc.ServiceDesc{
	ServiceName: tripService,
	HandlerType: (*tripper)(nil),
	Methods: []grpc.MethodDesc{{
		MethodName: tripMethod,
		Handler: func(srv any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
			v := new(wrapperspb.UInt64Value)
			if err := decode(v); err != nil {
				return nil, err
			}
			return srv.(tripper).trip(ctx, v)
		},
	}},
}

// echoGRPC is Echo in go-plugin's gRPC flavour.
type echoGRPC struct{ plugin.NetRPCUnsupportedPlugin }

func (echoGRPC) GRPCServer(_ *plugin.GRPCBroker, s *grpc.Server) error {
	s.RegisterService(&tripServer, Echo{})
	return nil
}

func (echoGRPC) GRPCClient(_ context.Context, _ *plugin.GRPCBroker, c *grpc.ClientConn) (any, error) {
	return c, nil
}

var pluginsGRPC = map[string]plugin.Plugin{"echo": echoGRPC{}}

// grpcLink calls an Echo over gRPC. It takes trips only.
type grpcLink struct {
	conn  *grpc.ClientConn
	close func()
}

func (l *grpcLink) Trip(v uint64) (uint64, error) {
	answer := new(wrapperspb.UInt64Value)
	err := l.conn.Invoke(context.Background(), "/"+tripService+"/"+tripMethod, wrapperspb.UInt64(v), answer)
	return answer.Value, err
}

func (l *grpcLink) Bulk(int, int) error { return errNoBulk }

func (l *grpcLink) Close() { l.close() }

func openPluginGRPC(size int) (link, error) {
	host := plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig:  handshake,
		Plugins:          pluginsGRPC,
		Cmd:              serveIn("goplugin-grpc", size, nil),
		Logger:           hclog.NewNullLogger(),
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
	})
	protocol, err := host.Client()
	if err != nil {
		host.Kill()
		return nil, err
	}
	client, err := protocol.Dispense("echo")
	if err != nil {
		host.Kill()
		return nil, err
	}
	return &grpcLink{conn: client.(*grpc.ClientConn), close: host.Kill}, nil
}

func servePluginGRPC(int) error {
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig: handshake,
		Plugins:         pluginsGRPC,
		Logger:          hclog.NewNullLogger(),
		GRPCServer:      plugin.DefaultGRPCServer,
	})
	return nil
}
