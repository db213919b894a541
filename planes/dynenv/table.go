package dynenv

// Bounds that keep a slip of the keyboard from being believed.
const (
	year     = 366 * 24 * 3600 // seconds
	many     = 1 << 20
	maxFrame = 1 << 30
)

const configVariable = "WIREPLANE_CONFIG"

const noTLS = "TLS on the TCP planes is not built yet; unset it, or the bytes would travel in the clear"

// paths of the file, up to the last key.
const (
	request   = "transport.request_plane."
	requestH  = request + "http."
	requestT  = request + "tcp."
	requestTS = requestT + "tls."
	requestN  = request + "nats."
	response  = "transport.response_plane."
	responseH = response + "http."
	responseT = response + "tcp."
	pool      = responseT + "connection_pool."
	discovery = "transport.service_discovery."
	etcd      = discovery + "etcd."
)

// table is every setting; ENV.md, the file's keys and the help come from it.
var table = []Knob{
	{Group: "Planes", Name: "DYN_REQUEST_PLANE", Path: request + "mode", Kind: KindChoice, Default: "nats", Choices: []string{"nats", "http", "tcp"},
		Doc: "how requests travel", field: func(c *Config) any { return &c.RequestPlane.Mode }},
	{Group: "Planes", Name: "DYN_REQUEST_PLANE_CODEC", Path: request + "codec", Kind: KindChoice, Default: "msgpack", Choices: []string{"msgpack", "json"},
		Doc: "payload encoding that a worker advertises to released peers", field: func(c *Config) any { return &c.RequestPlane.Codec }},
	{Group: "Planes", Name: "DYN_RESPONSE_PLANE", Path: response + "mode", Kind: KindChoice, Default: "tcp", Choices: []string{"tcp", "http", "http2"},
		refuse: map[string]string{
			"quic": "tcp, http or http2: the QUIC response plane is not supported, tcp serves the same peers",
			"velo": "tcp, http or http2: the Velo response plane is not supported, tcp serves the same peers",
		},
		Doc: "how responses travel", field: func(c *Config) any { return &c.ResponsePlane.Mode }},

	{Group: "HTTP request plane", Name: "DYN_HTTP_RPC_HOST", Path: requestH + "host", Kind: KindHost, Default: "0.0.0.0",
		Doc: "address that the HTTP request server listens on", field: func(c *Config) any { return &c.HTTPRequest.Listen.Host }},
	{Group: "HTTP request plane", Name: "DYN_HTTP_RPC_PORT", Path: requestH + "port", Kind: KindPort, Default: "8081", Max: 65535,
		Doc: "its port", field: func(c *Config) any { return &c.HTTPRequest.Listen.Port }},
	{Group: "HTTP request plane", Name: "DYN_HTTP_RPC_ROOT_PATH", Path: requestH + "root_path", Kind: KindPath, Default: "/v1/rpc",
		Doc: "path below which the endpoints are", field: func(c *Config) any { return &c.HTTPRequest.RootPath }},
	{Group: "HTTP request plane", Name: "DYN_HTTP_REQUEST_TIMEOUT", Path: requestH + "timeout_secs", Kind: KindSeconds, Unit: "s", Default: "5", Max: year,
		Doc: "wait for a request to be accepted", field: func(c *Config) any { return &c.HTTPRequest.Timeout }},

	{Group: "HTTP response plane", Name: "DYN_HTTP_RESPONSE_HOST", Path: responseH + "host", Kind: KindHost, Default: "0.0.0.0",
		Doc: "address that the HTTP response server listens on", field: func(c *Config) any { return &c.HTTPResponse.Listen.Host }},
	{Group: "HTTP response plane", Name: "DYN_HTTP_RESPONSE_PORT", Path: responseH + "port", Kind: KindPort, Default: "8082", Max: 65535,
		Doc: "its port", field: func(c *Config) any { return &c.HTTPResponse.Listen.Port }},
	{Group: "HTTP response plane", Name: "DYN_HTTP_RESPONSE_ROOT_PATH", Path: responseH + "root_path", Kind: KindPath, Default: "/v1/rpc/response",
		Doc: "path below which response streams wait to be attached to", field: func(c *Config) any { return &c.HTTPResponse.RootPath }},
	{Group: "HTTP response plane", Name: "DYN_HTTP_RESPONSE_STREAM_FORMAT", Path: responseH + "stream_format", Kind: KindChoice, Default: "sse", Choices: []string{"sse", "ndjson", "binary"},
		Doc: "format of a response whose request accepts any", field: func(c *Config) any { return &c.HTTPResponse.StreamFormat }},
	{Group: "HTTP response plane", Name: "DYN_HTTP_RESPONSE_TIMEOUT_SECS", Path: responseH + "timeout_secs", Kind: KindSeconds, Unit: "s", Default: "3600", Max: year,
		Doc: "longest response stream", field: func(c *Config) any { return &c.HTTPResponse.Timeout }},

	{Group: "TCP request plane", Name: "DYN_TCP_REQUEST_HOST", Path: requestT + "host", Kind: KindHost, Default: "0.0.0.0",
		Doc: "address that the TCP request server listens on", field: func(c *Config) any { return &c.TCPRequest.Listen.Host }},
	{Group: "TCP request plane", Name: "DYN_TCP_REQUEST_PORT", Path: requestT + "port", Kind: KindPort, Default: "9001", Max: 65535,
		Doc: "its port", field: func(c *Config) any { return &c.TCPRequest.Listen.Port }},
	{Group: "TCP request plane", Name: "DYN_TCP_RPC_HOST", Kind: KindHost,
		Doc: "released name; where set, it wins over DYN_TCP_REQUEST_HOST", field: func(c *Config) any { return &c.TCPRequest.Listen.Host }},
	{Group: "TCP request plane", Name: "DYN_TCP_RPC_PORT", Kind: KindPort, Max: 65535,
		Doc: "released name; where set, it wins over DYN_TCP_REQUEST_PORT", field: func(c *Config) any { return &c.TCPRequest.Listen.Port }},
	{Group: "TCP request plane", Name: "DYN_TCP_REQUEST_MAX_CONNECTIONS", Path: requestT + "max_connections", Kind: KindCount, Default: "1000", Min: 1, Max: many,
		Doc: "connections that the server keeps at most", field: func(c *Config) any { return &c.TCPRequest.MaxConnections }},
	{Group: "TCP request plane", Name: "DYN_TCP_REQUEST_HEARTBEAT_INTERVAL_SECS", Path: requestT + "heartbeat_interval_secs", Kind: KindSeconds, Unit: "s", Default: "30", Max: year,
		Doc: "longest silence on an idle healthy connection", field: func(c *Config) any { return &c.TCPRequest.HeartbeatInterval }},
	{Group: "TCP request plane", Name: "DYN_TCP_REQUEST_CONNECTION_TIMEOUT_SECS", Path: requestT + "connection_timeout_secs", Kind: KindSeconds, Unit: "s", Default: "60", Max: year,
		Doc: "time for a connection to be made, handshake included", field: func(c *Config) any { return &c.TCPRequest.ConnectionTimeout }},
	{Group: "TCP request plane", Name: "WIREPLANE_TCP_WIRE", Path: requestT + "wire", Kind: KindChoice, Default: "auto", Choices: []string{"auto", "mux", "dynamo"},
		Doc: "wire that is spoken: what the peer can, only the multiplexed one, or only the released one", field: func(c *Config) any { return &c.TCPRequest.Wire }},

	{Group: "TCP request plane, released wire", Name: "DYN_TCP_MAX_MESSAGE_SIZE", Path: requestT + "max_message_size", Kind: KindCount, Unit: "bytes", Default: "33554432", Min: 1024, Max: maxFrame,
		Doc: "largest whole request frame, and largest ack", field: func(c *Config) any { return &c.TCPRequest.MaxMessageSize }},
	{Group: "TCP request plane, released wire", Name: "DYN_TCP_POOL_SIZE", Path: requestT + "pool_size", Kind: KindCount, Default: "100", Min: 1, Max: many,
		Doc: "connections a host", field: func(c *Config) any { return &c.TCPRequest.PoolSize }},
	{Group: "TCP request plane, released wire", Name: "DYN_TCP_CHANNEL_BUFFER", Path: requestT + "channel_buffer", Kind: KindCount, Default: "1024", Min: 1, Max: many,
		Doc: "requests in flight a connection", field: func(c *Config) any { return &c.TCPRequest.ChannelBuffer }},
	{Group: "TCP request plane, released wire", Name: "DYN_TCP_REQUEST_TIMEOUT", Path: requestT + "request_timeout_secs", Kind: KindSeconds, Unit: "s", Default: "5", Max: year,
		Doc: "wait for the ack of a request", field: func(c *Config) any { return &c.TCPRequest.RequestTimeout }},
	{Group: "TCP request plane, released wire", Name: "DYN_TCP_CONNECT_TIMEOUT", Path: requestT + "connect_timeout_secs", Kind: KindSeconds, Unit: "s", Default: "5", Max: year,
		Doc: "wait for one dial", field: func(c *Config) any { return &c.TCPRequest.ConnectTimeout }},
	{Group: "TCP request plane, released wire", Name: "DYN_TCP_GLOBAL_CONNECT_LIMIT", Path: requestT + "global_connect_limit", Kind: KindCount, Default: "64", Min: 1, Max: many,
		Doc: "dials at the same time, all hosts together", field: func(c *Config) any { return &c.TCPRequest.GlobalConnectLimit }},
	{Group: "TCP request plane, released wire", Name: "DYN_TCP_HOST_IDLE_TTL_SECS", Path: requestT + "host_idle_ttl_secs", Kind: KindSeconds, Unit: "s", Default: "300", Max: year,
		Doc: "time until the connections of an idle host are closed", field: func(c *Config) any { return &c.TCPRequest.HostIdleTTL }},

	{Group: "Call-home response plane", Name: "WIREPLANE_CALLHOME_MODE", Path: responseT + "callhome_mode", Kind: KindChoice, Default: "auto", Choices: []string{"auto", "single", "pooled", "mux"},
		Doc: "a socket for each response, for one after another, or for many at once; auto: single while the pool is off, else the best that both sides can", field: func(c *Config) any { return &c.CallHome.Mode }},
	{Group: "Call-home response plane", Name: "DYN_TCP_RESPONSE_STREAM_HOST", Path: responseT + "host", Kind: KindHost,
		Doc: "address that the router listens on for responses; not set: the detected one", field: func(c *Config) any { return &c.CallHome.Listen.Host }},
	{Group: "Call-home response plane", Name: "DYN_TCP_RESPONSE_STREAM_PORT", Path: responseT + "port", Kind: KindPort, Default: "0", Max: 65535,
		Doc: "its port; 0: any free one", field: func(c *Config) any { return &c.CallHome.Listen.Port }},

	{Group: "Call-home connection pool", Name: "DYN_TCP_POOL_ENABLED", Path: pool + "enabled", Kind: KindBool, Default: "false",
		Doc: "keep call-home connections for more than one response", field: func(c *Config) any { return &c.Pool.Enabled }},
	{Group: "Call-home connection pool", Name: "DYN_TCP_POOL_MAX_PER_TARGET", Path: pool + "max_per_target", Kind: KindCount, Default: "50", Min: 1, Max: 65536,
		Doc: "connections to one router", field: func(c *Config) any { return &c.Pool.MaxPerTarget }},
	{Group: "Call-home connection pool", Name: "DYN_TCP_POOL_MIN_IDLE", Path: pool + "min_idle", Kind: KindCount, Default: "5", Max: 65536,
		Doc: "idle connections that are kept ready for one router", field: func(c *Config) any { return &c.Pool.MinIdle }},
	{Group: "Call-home connection pool", Name: "DYN_TCP_POOL_IDLE_TIMEOUT_SECS", Path: pool + "idle_timeout_secs", Kind: KindSeconds, Unit: "s", Default: "300", Max: year,
		Doc: "time until an idle connection is closed", field: func(c *Config) any { return &c.Pool.IdleTimeout }},
	{Group: "Call-home connection pool", Name: "DYN_TCP_POOL_MAX_LIFETIME_SECS", Path: pool + "max_lifetime_secs", Kind: KindSeconds, Unit: "s", Default: "3600", Max: year,
		Doc: "age at which a connection is closed when it is free", field: func(c *Config) any { return &c.Pool.MaxLifetime }},
	{Group: "Call-home connection pool", Name: "DYN_TCP_POOL_KEEPALIVE_SECS", Path: pool + "keepalive_secs", Kind: KindSeconds, Unit: "s", Default: "60", Max: year,
		Doc: "silence after which TCP asks whether the peer is there", field: func(c *Config) any { return &c.Pool.Keepalive }},

	{Group: "NATS request plane", Name: "NATS_SERVER", Path: requestN + "server", Kind: KindURLs, Default: "nats://localhost:4222", Choices: []string{"nats", "tls", "ws", "wss"},
		Doc: "servers", field: func(c *Config) any { return &c.NATS.Servers }},
	{Group: "NATS request plane", Name: "NATS_AUTH_USERNAME", Path: requestN + "username", Kind: KindText, Default: "user",
		Doc: "user; the default counts only where there is no token, nkey or credentials file", field: func(c *Config) any { return &c.NATS.Username }},
	{Group: "NATS request plane", Name: "NATS_AUTH_PASSWORD", Path: requestN + "password", Kind: KindText, Default: "user", Secret: true,
		Doc: "password of that user", field: func(c *Config) any { return &c.NATS.Password }},
	{Group: "NATS request plane", Name: "NATS_AUTH_TOKEN", Path: requestN + "token", Kind: KindText, Secret: true,
		Doc: "token, instead of a user", field: func(c *Config) any { return &c.NATS.Token }},
	{Group: "NATS request plane", Name: "NATS_AUTH_NKEY", Path: requestN + "nkey", Kind: KindText, Secret: true,
		Doc: "nkey seed, instead of a user", field: func(c *Config) any { return &c.NATS.NKey }},
	{Group: "NATS request plane", Name: "NATS_AUTH_CREDENTIALS_FILE", Path: requestN + "credentials_file", Kind: KindFile,
		Doc: "credentials file, instead of a user", field: func(c *Config) any { return &c.NATS.CredentialsFile }},
	{Group: "NATS request plane", Name: "NATS_TLS_CA_CERT_PATH", Path: requestN + "tls_ca_cert_path", Kind: KindFile,
		Doc: "roots that the server's certificate is checked against; not set: the system's", field: func(c *Config) any { return &c.NATS.CACertPath }},
	{Group: "NATS request plane", Name: "NATS_TLS_INSECURE", Path: requestN + "tls_insecure", Kind: KindBool, Default: "false",
		Doc: "do not check the server's certificate", field: func(c *Config) any { return &c.NATS.TLSInsecure }},
	{Group: "NATS request plane", Name: "DYN_NATS_REQUEST_TIMEOUT_SECS", Path: requestN + "request_timeout_secs", Kind: KindSeconds, Unit: "s", Default: "10", Max: year,
		Doc: "wait for the reply to a request", field: func(c *Config) any { return &c.NATS.RequestTimeout }},

	{Group: "Service discovery", Name: "DYN_DISCOVERY_BACKEND", Path: discovery + "backend", Kind: KindChoice, Default: "mem", Choices: []string{"etcd", "file", "mem"},
		refuse: map[string]string{"kubernetes": "etcd, file or mem: the Kubernetes backend is not supported, run an etcd beside the workers"},
		Doc:    "where instances register and are found; mem is this process alone (released Dynamo has etcd)", field: func(c *Config) any { return &c.Discovery.Backend }},
	{Group: "Service discovery", Name: "DYN_FILE_KV", Path: discovery + "file.path", Kind: KindFile, Default: "$TMPDIR/dynamo_store_kv",
		Doc: "folder of the file backend; TMPDIR is /tmp where it is not set", field: func(c *Config) any { return &c.Discovery.FileRoot }},
	{Group: "Service discovery", Name: "DYN_NAMESPACE", Path: discovery + "namespace", Kind: KindText, Default: "dynamo",
		Doc: "namespace of components that name none", field: func(c *Config) any { return &c.Discovery.Namespace }},
	{Group: "Service discovery", Name: "WIREPLANE_ADVERTISE_HOST", Path: discovery + "advertise_host", Kind: KindHost,
		Doc: "address that others are told instead of a wildcard; not set: the detected one", field: func(c *Config) any { return &c.Discovery.AdvertiseHost }},

	{Group: "etcd", Name: "ETCD_ENDPOINTS", Path: etcd + "endpoints", Kind: KindURLs, Default: "http://localhost:2379", Choices: []string{"http", "https"},
		Doc: "members of the cluster", field: func(c *Config) any { return &c.Etcd.Endpoints }},
	{Group: "etcd", Name: "ETCD_LEASE_TTL", Path: etcd + "lease_ttl_secs", Kind: KindSeconds, Unit: "s", Default: "60", Min: 1, Max: year,
		Doc: "how long a record outlives its owner; not set, it is 10 in the layout of released Dynamo", field: func(c *Config) any { return &c.Etcd.LeaseTTL }},
	{Group: "etcd", Name: "WIREPLANE_ETCD_WATCH", Path: etcd + "watch_enabled", Kind: KindBool, Default: "true",
		Doc: "follow changes, not only look up", field: func(c *Config) any { return &c.Etcd.Watch }},
	{Group: "etcd", Name: "ETCD_STARTUP_CONNECT_TIMEOUT_SECONDS", Path: etcd + "connect_timeout_secs", Kind: KindSeconds, Unit: "s", Default: "120", Max: year,
		Doc: "wait for the first connection", field: func(c *Config) any { return &c.Etcd.ConnectTimeout }},
	{Group: "etcd", Name: "ETCD_AUTH_USERNAME", Path: etcd + "username", Kind: KindText,
		Doc: "user", field: func(c *Config) any { return &c.Etcd.Username }},
	{Group: "etcd", Name: "ETCD_AUTH_PASSWORD", Path: etcd + "password", Kind: KindText, Secret: true,
		Doc: "password of that user", field: func(c *Config) any { return &c.Etcd.Password }},
	{Group: "etcd", Name: "ETCD_AUTH_CA", Path: etcd + "ca_cert_path", Kind: KindFile,
		Doc: "roots that the members' certificates are checked against; not set: the system's", field: func(c *Config) any { return &c.Etcd.CACertPath }},
	{Group: "etcd", Name: "ETCD_AUTH_CLIENT_CERT", Path: etcd + "client_cert_path", Kind: KindFile,
		Doc: "certificate that we show", field: func(c *Config) any { return &c.Etcd.ClientCertPath }},
	{Group: "etcd", Name: "ETCD_AUTH_CLIENT_KEY", Path: etcd + "client_key_path", Kind: KindFile,
		Doc: "its key", field: func(c *Config) any { return &c.Etcd.ClientKeyPath }},

	{Group: "Router and worker", Name: "DYN_RUNTIME_INHIBITED_DURATION_SECS", Path: "router.inhibited_duration_secs", Kind: KindSeconds, Unit: "s", Default: "5", Max: year,
		Doc: "how long a router passes over an instance that failed", field: func(c *Config) any { return &c.Router.InhibitedDuration }},
	{Group: "Router and worker", Name: "DYN_WORKER_GRACEFUL_SHUTDOWN_TIMEOUT", Path: "worker.graceful_shutdown_timeout_secs", Kind: KindSeconds, Unit: "s", Default: "30", Max: year,
		Doc: "time that running streams get when a worker stops", field: func(c *Config) any { return &c.Worker.GracefulShutdownTimeout }},
	{Group: "Router and worker", Name: "DYN_TCP_WORKER_POOL_SIZE", Path: "worker.pool_size", Kind: KindCount, Default: "10000", Min: 1, Max: many,
		Doc: "handlers that a worker runs at the same time", field: func(c *Config) any { return &c.Worker.PoolSize }},
	{Group: "Router and worker", Name: "DYN_TCP_WORK_QUEUE_SIZE", Path: "worker.queue_size", Kind: KindCount, Default: "40000", Max: many,
		Doc: "requests that wait for one of them", field: func(c *Config) any { return &c.Worker.QueueSize }},
	{Group: "Router and worker", Name: "WIREPLANE_LIVENESS_PROBE", Path: "liveness.probe", Kind: KindDuration, Default: "3s", Max: year,
		Doc: "silence after which a peer is asked whether it lives", field: func(c *Config) any { return &c.Liveness.Probe }},
	{Group: "Router and worker", Name: "WIREPLANE_LIVENESS_TIMEOUT", Path: "liveness.timeout", Kind: KindDuration, Default: "9s", Max: year,
		Doc: "silence after which it is taken for dead", field: func(c *Config) any { return &c.Liveness.Timeout }},

	{Group: "Operation", Name: configVariable, Kind: KindFile,
		Doc: "configuration file, in YAML", field: func(c *Config) any { return &c.File }},
	{Group: "Operation", Name: "WIREPLANE_METRICS_ADDR", Path: "metrics.addr", Kind: KindAddr, Default: ":9090",
		Doc: "address of the Prometheus metrics; off: none", field: func(c *Config) any { return &c.Metrics.Addr }},
	{Group: "Operation", Name: "DYN_SYSTEM_HOST", Path: "system.host", Kind: KindHost, Default: "0.0.0.0",
		Doc: "address of the status server", field: func(c *Config) any { return &c.System.Listen.Host }},
	{Group: "Operation", Name: "DYN_SYSTEM_PORT", Path: "system.port", Kind: KindPort, Default: "-1", Min: -1, Max: 65535,
		Doc: "its port; 0: any free one, -1: no server", field: func(c *Config) any { return &c.System.Listen.Port }},
	{Group: "Operation", Name: "DYN_LOG", Path: "log.level", Kind: KindLevels, Default: "info",
		Doc: "what is logged: a level, and levels of components as in info,tcpplane=debug", field: func(c *Config) any { return &c.Log.Levels }},
	{Group: "Operation", Name: "DYN_LOGGING_JSONL", Path: "log.jsonl", Kind: KindBool, Default: "false",
		Doc: "log a JSON object a line", field: func(c *Config) any { return &c.Log.JSON }},

	{Group: "TLS on the TCP planes", Name: "DYN_TCP_TLS_CERT_PATH", Path: requestTS + "cert_path", Kind: KindFile, NotYet: noTLS,
		Doc: "the server's certificate", field: func(c *Config) any { return &c.tls.certPath }},
	{Group: "TLS on the TCP planes", Name: "DYN_TCP_TLS_KEY_PATH", Path: requestTS + "key_path", Kind: KindFile, NotYet: noTLS,
		Doc: "its key", field: func(c *Config) any { return &c.tls.keyPath }},
	{Group: "TLS on the TCP planes", Name: "DYN_TCP_TLS_CLIENT_CA_CERT_PATH", Path: requestTS + "client_ca_cert_path", Kind: KindFile, NotYet: noTLS,
		Doc: "roots that clients' certificates are checked against", field: func(c *Config) any { return &c.tls.clientCAPath }},
	{Group: "TLS on the TCP planes", Name: "DYN_TCP_TLS_CA_CERT_PATH", Path: requestTS + "ca_cert_path", Kind: KindFile, NotYet: noTLS,
		Doc: "roots that servers' certificates are checked against", field: func(c *Config) any { return &c.tls.caPath }},
	{Group: "TLS on the TCP planes", Name: "DYN_TCP_TLS_INSECURE", Path: requestTS + "insecure", Kind: KindBool, NotYet: noTLS,
		Doc: "do not check servers' certificates", field: func(c *Config) any { return &c.tls.insecure }},
	{Group: "TLS on the TCP planes", Name: "DYN_TCP_TLS_CLIENT_CERT_PATH", Path: requestTS + "client_cert_path", Kind: KindFile, NotYet: noTLS,
		Doc: "certificate that a client shows", field: func(c *Config) any { return &c.tls.clientCertPath }},
	{Group: "TLS on the TCP planes", Name: "DYN_TCP_TLS_CLIENT_KEY_PATH", Path: requestTS + "client_key_path", Kind: KindFile, NotYet: noTLS,
		Doc: "its key", field: func(c *Config) any { return &c.tls.clientKeyPath }},
	{Group: "TLS on the TCP planes", Name: "DYN_TCP_TLS_SERVER_NAME", Path: requestTS + "server_name", Kind: KindHost, NotYet: noTLS,
		Doc: "name that a server's certificate must have", field: func(c *Config) any { return &c.tls.hostname }},
	{Group: "TLS on the TCP planes", Name: "DYN_TCP_TLS_HANDSHAKE_TIMEOUT_SECS", Path: requestTS + "handshake_timeout_secs", Kind: KindSeconds, Unit: "s", NotYet: noTLS, Max: year,
		Doc: "time for a handshake", field: func(c *Config) any { return &c.tls.handshakeTimeout }},
}

// released are Dynamo's variables that mean nothing here, so that they are not
// taken for a slip of the keyboard.
var released = map[string]bool{
	"DYN_EVENT_PLANE": true, "DYN_EVENT_PLANE_HOST": true, "DYN_TCP_LATENCY_TRACE": true,
	"DYN_QUIC_RESPONSE_BATCH_INTERVAL_US": true, "DYN_QUIC_RESPONSE_BUFFER_CAPACITY": true,
	"DYN_VELO_RESPONSE_TRANSPORT": true, "DYN_NATS_STREAM_MAX_AGE": true,
	"DYN_RUNTIME_GRACEFUL_SHUTDOWN_TIMEOUT_SECS": true, "DYN_RUNTIME_NUM_WORKER_THREADS": true,
	"DYN_SYSTEM_HEALTH_PATH": true, "DYN_SYSTEM_LIVE_PATH": true, "DYN_SYSTEM_STARTING_HEALTH_STATUS": true,
	"DYN_SYSTEM_USE_ENDPOINT_HEALTH_STATUS": true, "DYN_SYSTEM_ENABLED": true,
	"DYN_HEALTH_CHECK_ENABLED": true, "DYN_CANARY_WAIT_TIME": true, "DYN_HEALTH_CHECK_REQUEST_TIMEOUT": true,
	"DYN_HEALTH_CHECK_BUSY_STALL": true,
}
