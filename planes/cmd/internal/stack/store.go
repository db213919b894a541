package stack

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"github.com/wireplane/wireplane/discovery"
	"github.com/wireplane/wireplane/discovery/etcd"
	"github.com/wireplane/wireplane/planes/dynenv"
)

// OpenStore opens a discovery store: spec is "mem", "file:DIR", "etcd:URL[,URL]", or ""
// for what the settings say. It returns what it opened in words.
func OpenStore(ctx context.Context, spec string, c *dynenv.Config, observer discovery.Observer, log *slog.Logger) (discovery.Store, string, error) {
	kind, where, _ := strings.Cut(spec, ":")
	if spec == "" {
		kind = c.Discovery.Backend
	}
	cfg := discovery.Config{Observer: observer, Logger: log}
	switch kind {
	case "mem":
		return discovery.NewMemory().Open(cfg), "mem", nil
	case "file":
		dir := c.Discovery.FileRoot
		if where != "" {
			dir = where
		}
		s, err := discovery.OpenFile(discovery.FileConfig{Config: cfg, Dir: dir})
		return s, "file:" + dir, err
	case "etcd":
		endpoints := c.Etcd.Endpoints
		if where != "" {
			endpoints = strings.Split(where, ",")
		}
		cfg.TTL = c.Etcd.LeaseTTL
		tls, err := clientTLS(c.Etcd.CACertPath, c.Etcd.ClientCertPath, c.Etcd.ClientKeyPath, false)
		if err != nil {
			return nil, "", fmt.Errorf("etcd: %w", err)
		}
		s, err := etcd.Open(ctx, etcd.Config{
			Config: cfg, Endpoints: endpoints, Username: c.Etcd.Username, Password: c.Etcd.Password, TLS: tls, StartupTimeout: c.Etcd.ConnectTimeout,
		})
		return s, "etcd:" + strings.Join(endpoints, ","), err
	}
	return nil, "", fmt.Errorf("discovery %q; want mem, file:DIR or etcd:URL", spec)
}
