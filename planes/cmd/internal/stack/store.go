package stack

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strings"

	"github.com/wireplane/wireplane/discovery"
	"github.com/wireplane/wireplane/discovery/etcd"
	"github.com/wireplane/wireplane/planes/dynenv"
)

// CheckStore says what is wrong with the spec of a store, or returns nil.
func CheckStore(spec string) error {
	kind, where, named := strings.Cut(spec, ":")
	switch {
	case spec == "" || spec == "mem" || kind == "file" && (where != "" || !named):
		return nil
	case kind == "etcd" && !named:
		return nil
	case kind == "etcd":
		for _, e := range strings.Split(where, ",") {
			if err := checkEndpoint(e); err != nil {
				return fmt.Errorf("discovery %q: %w", spec, err)
			}
		}
		return nil
	}
	return fmt.Errorf("discovery %q; want mem, file:DIR or etcd:URL[,URL]", spec)
}

// checkEndpoint takes http://HOST:PORT, https://HOST:PORT and HOST:PORT.
func checkEndpoint(e string) error {
	host := e
	if u, err := url.Parse(e); err == nil && u.Host != "" {
		if u.Scheme != "http" && u.Scheme != "https" {
			return fmt.Errorf("endpoint %q; want http or https", u.Redacted())
		}
		host = u.Host
	}
	if _, port, err := net.SplitHostPort(host); err != nil || port == "" || strings.ContainsAny(host, " /@") {
		return errors.New("an endpoint that is no http://HOST:PORT, https://HOST:PORT or HOST:PORT")
	}
	return nil
}

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
