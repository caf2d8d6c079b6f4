//go:build linux

package main

import (
	"net/rpc"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
)

// echoPlugin is Echo in go-plugin's net/rpc flavour.
type echoPlugin struct{}

func (echoPlugin) Server(*plugin.MuxBroker) (any, error) { return Echo{}, nil }

func (echoPlugin) Client(_ *plugin.MuxBroker, c *rpc.Client) (any, error) { return c, nil }

var (
	handshake = plugin.HandshakeConfig{ProtocolVersion: 1, MagicCookieKey: "GOPEER", MagicCookieValue: "gopeer"}
	plugins   = map[string]plugin.Plugin{"echo": echoPlugin{}}
)

func openPlugin(size int) (link, error) {
	host := plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig: handshake,
		Plugins:         plugins,
		Cmd:             serveIn("goplugin", size, nil),
		Logger:          hclog.NewNullLogger(),
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
	return &rpcLink{client: client.(*rpc.Client), name: "Plugin", close: host.Kill}, nil
}

func servePlugin(int) error {
	plugin.Serve(&plugin.ServeConfig{HandshakeConfig: handshake, Plugins: plugins, Logger: hclog.NewNullLogger()})
	return nil
}
