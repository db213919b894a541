package discovery_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/wireplane/wireplane/discovery"
	"github.com/wireplane/wireplane/planes"
)

const (
	demoKey  = "v1/instances/demo/backend/generate/694d9b96e24ab707"
	demoHead = `{"type":"Endpoint","component":"backend","endpoint":"generate","namespace":"demo","instance_id":7587892019533100807,"transport":`
	demoTail = `,"health_status":"healthy","last_heartbeat":1790000000}`
)

// The transports of mission.md and of released records: their JSON, and the ways to
// call that they stand for.
var transports = []struct {
	json   string
	want   discovery.Transport
	offers string
}{
	{`{"nats_tcp":"demo_backend.generate-694d9b96e24ab707"}`, discovery.NATSTCP("demo_backend.generate-694d9b96e24ab707"),
		"nats demo_backend.generate-694d9b96e24ab707 -> tcp"},
	{`{"tcp":"10.0.0.7:40001/694d9b96e24ab707/generate"}`, discovery.ReleasedTCP("10.0.0.7:40001/694d9b96e24ab707/generate"),
		"dynamo-tcp 10.0.0.7:40001/694d9b96e24ab707/generate -> tcp"},
	{`{"http":"http://10.0.0.7:8888/v1/rpc/a?b=1&c=2"}`, discovery.ReleasedHTTP("http://10.0.0.7:8888/v1/rpc/a?b=1&c=2"),
		"http http://10.0.0.7:8888/v1/rpc/a?b=1&c=2 -> tcp"},
	{`{"http_tcp":{"http_endpoint":"http://10.0.0.7:8081/v1/rpc/generate"}}`, discovery.HTTPTCP("http://10.0.0.7:8081/v1/rpc/generate"),
		"http http://10.0.0.7:8081/v1/rpc/generate -> tcp"},
	{`{"http_http":{"request_endpoint":"http://10.0.0.7:8081/a","response_endpoint":"http://10.0.0.7:8082/b"}}`,
		discovery.HTTPHTTP("http://10.0.0.7:8081/a", "http://10.0.0.7:8082/b"),
		"http http://10.0.0.7:8081/a -> exchange, http http://10.0.0.7:8081/a -> http http://10.0.0.7:8082/b"},
	{`{"tcp_tcp":{"endpoint":"10.0.0.7:9001/generate"}}`, discovery.TCPTCP("10.0.0.7:9001/generate"),
		"tcp 10.0.0.7:9001/generate -> exchange"},
	{`{"unified":{"request_transport":{"transport_id":"x-quic","address":{"type":"tcp","host":"fe80::1","port":9001},"capabilities":{"streaming":true,"persistent_connections":false,"bidirectional":false,"max_message_size":7},"metadata":{"a":"b"}},"response_transport":{"transport_id":"exchange","capabilities":{"streaming":true,"persistent_connections":false,"bidirectional":false}}}}`,
		discovery.UnifiedTransport(
			planes.Endpoint{Transport: "x-quic", Address: planes.Address{Kind: planes.AddressTCP, Host: "fe80::1", Port: 9001},
				Capabilities: planes.Capabilities{Streaming: true, MaxMessageBytes: 7}, Metadata: map[string]string{"a": "b"}},
			planes.Endpoint{Transport: planes.Exchange, Capabilities: planes.Capabilities{Streaming: true}}),
		"x-quic [fe80::1]:9001 -> exchange"},
}

func offersText(offers []planes.Offer) string {
	var all []string
	for _, o := range offers {
		all = append(all, strings.TrimSpace(fmt.Sprintf("%s %s -> %s %s", o.Request.Transport, o.Request.Address, o.Response.Transport, o.Response.Address)))
	}
	return strings.Join(all, ", ")
}

// Records are written to the byte as they were read, with the id exact, and each
// transport means the offers that the table of combinations says.
func TestRecordsOfEveryTransportAreReadAndWritten(t *testing.T) {
	for _, tc := range transports {
		text := demoHead + tc.json + demoTail
		i, err := discovery.ParseRecord(demoKey, []byte(text))
		if err != nil {
			t.Errorf("%s: %v", tc.json, err)
			continue
		}
		if i.ID != 7587892019533100807 || i.Path() != "demo/backend/generate" || !i.LastHeartbeat.Equal(time.Unix(1790000000, 0)) {
			t.Errorf("%s: read as %+v", tc.json, i)
		}
		if !i.Transport.Equal(tc.want) {
			t.Errorf("%s: transport %+v; want %+v", tc.json, i.Transport, tc.want)
		}
		target := i.Target()
		if got := offersText(target.Offers); got != tc.offers || target.Instance != i.ID {
			t.Errorf("%s: offers %q; want %q", tc.json, got, tc.offers)
		}
		rec, err := discovery.NewRecord(i)
		if err != nil || string(rec.Value) != text || rec.Key != demoKey {
			t.Errorf("%s\nbecame %s\n%s, %v", text, rec.Key, rec.Value, err)
		}
	}
}

// Keys of both layouts are read; all others are refused, as are records that are not
// those of their key.
func TestKeys(t *testing.T) {
	for _, key := range []string{demoKey, "instances/demo/backend/generate:694d9b96e24ab707"} {
		if i, err := discovery.ParseKey(key); err != nil || i.ID != 0x694d9b96e24ab707 || i.Path() != "demo/backend/generate" {
			t.Errorf("%s: %+v, %v", key, i, err)
		}
	}
	for _, key := range []string{
		"", "v1/mdc/a/b/c/1", "v1/instances/a/b/1", "v1/instances/a/b/c/d/1", "v1/instances/a/b/c/01", "v1/instances/a/b/c/F",
		"v1/instances/a/b/c/10000000000000000", "v1/instances//b/c/1", "instances/a/b/c", "instances/a/b:1", "v1/instances/a/b/" + strings.Repeat("c", 3000) + "/1",
	} {
		if i, err := discovery.ParseKey(key); err == nil {
			t.Errorf("%.60s is %+v", key, i)
		}
	}
	value := demoHead + `{"tcp":"h:1"}` + demoTail
	if _, err := discovery.ParseRecord(strings.Replace(demoKey, "backend", "other", 1), []byte(value)); err == nil {
		t.Error("a record under another's key is accepted")
	}
}
