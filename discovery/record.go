package discovery

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// The prefixes of keys.
const (
	// Prefix is that of every key that is written.
	Prefix = "v1/instances/"
	// OldPrefix is that of the keys of released runtimes up to v0.6, which are read.
	OldPrefix = "instances/"
)

// MaxRecord is the most bytes that a record may have; MaxKey that a key may have.
const (
	MaxRecord = 64 << 10
	MaxKey    = 2048
)

// Record is an Instance as a store keeps it.
type Record struct {
	Key      string
	Value    []byte
	Instance Instance
}

// NewRecord returns the record of i, whose ID is not 0. The record's Instance is what a
// reader will read, and shares nothing with i.
func NewRecord(i Instance) (Record, error) {
	if i.ID == 0 {
		return Record{}, fmt.Errorf("discovery: %s: an instance without id", i.Path())
	}
	if err := i.Validate(); err != nil {
		return Record{}, err
	}
	health, err := i.Health.encode()
	if err != nil {
		return Record{}, err
	}
	j := recordJSON{
		Type: "Endpoint", Component: i.Component, Endpoint: i.Endpoint, Namespace: i.Namespace, ID: &i.ID,
		Transport: &i.Transport, DeviceType: i.DeviceType, Codec: i.RequestPlaneCodec, Health: health, Epoch: i.Epoch,
	}
	if !i.LastHeartbeat.IsZero() {
		j.Heartbeat = i.LastHeartbeat.Unix()
	}
	for _, a := range i.Alternatives {
		raw, err := marshal(a)
		if err != nil {
			return Record{}, err
		}
		j.Alternatives = append(j.Alternatives, raw)
	}
	value, err := marshal(j)
	if err != nil {
		return Record{}, err
	}
	key := Key(&i)
	back, err := ParseRecord(key, value)
	if err != nil {
		return Record{}, err
	}
	return Record{Key: key, Value: value, Instance: back}, nil
}

// Key returns v1/instances/{namespace}/{component}/{endpoint}/{id:x}.
func Key(i *Instance) string { return Prefix + i.Path() + "/" + strconv.FormatUint(i.ID, 16) }

// ParseKey reads a key of either form; only the names and the ID of the answer are set.
func ParseKey(key string) (Instance, error) {
	bad := func() (Instance, error) {
		return Instance{}, fmt.Errorf("discovery: key %.200q: want %s{namespace}/{component}/{endpoint}/{id}", key, Prefix)
	}
	if len(key) > MaxKey {
		return bad()
	}
	var parts []string
	if rest, ok := strings.CutPrefix(key, Prefix); ok {
		parts = strings.Split(rest, "/")
	} else if rest, ok := strings.CutPrefix(key, OldPrefix); ok {
		colon := strings.LastIndexByte(rest, ':')
		if colon < 0 {
			return bad()
		}
		parts = append(strings.Split(rest[:colon], "/"), rest[colon+1:])
	}
	if len(parts) != 4 || parts[0] == "" || parts[1] == "" || parts[2] == "" {
		return bad()
	}
	id, err := strconv.ParseUint(parts[3], 16, 64)
	if err != nil || strconv.FormatUint(id, 16) != parts[3] {
		return bad()
	}
	return Instance{Namespace: parts[0], Component: parts[1], Endpoint: parts[2], ID: id}, nil
}

type recordJSON struct {
	Type         string            `json:"type,omitempty"`
	Component    string            `json:"component"`
	Endpoint     string            `json:"endpoint"`
	Namespace    string            `json:"namespace"`
	ID           *uint64           `json:"instance_id"`
	Transport    *Transport        `json:"transport"`
	DeviceType   string            `json:"device_type,omitempty"`
	Codec        string            `json:"request_plane_codec,omitempty"`
	Health       json.RawMessage   `json:"health_status,omitempty"`
	Heartbeat    int64             `json:"last_heartbeat,omitempty"`
	Epoch        uint64            `json:"epoch,omitempty"`
	Alternatives []json.RawMessage `json:"alternatives,omitempty"`
}

// maxHeartbeat is the end of the year 9999, beyond which times cannot be written.
const maxHeartbeat = 253402300799

// ParseRecord reads what a store has under key, which it compares with the names and
// the id in value. Fields that it does not know are ignored, as are alternatives of an
// unknown variant; a health status that it does not know is Degraded. What else it does
// not understand is an error, and the record is to be skipped. value is only read.
func ParseRecord(key string, value []byte) (Instance, error) {
	i, err := ParseKey(key)
	if err != nil {
		return Instance{}, err
	}
	fail := func(format string, args ...any) (Instance, error) {
		return Instance{}, fmt.Errorf("discovery: record %.200q: %w", key, fmt.Errorf(format, args...))
	}
	if len(value) > MaxRecord {
		return fail("%d bytes; want at most %d", len(value), MaxRecord)
	}
	var j recordJSON
	if err := json.Unmarshal(value, &j); err != nil {
		return fail("%w", err)
	}
	switch {
	case j.Type != "" && j.Type != "Endpoint":
		return fail("type %.40q; want Endpoint", j.Type)
	case j.ID == nil || *j.ID != i.ID || j.Namespace != i.Namespace || j.Component != i.Component || j.Endpoint != i.Endpoint:
		return fail("it names another instance than its key")
	case j.Transport == nil:
		return fail("no transport")
	case j.Heartbeat < 0 || j.Heartbeat > maxHeartbeat:
		return fail("last_heartbeat %d is no time", j.Heartbeat)
	case len(i.Path()) > maxPath:
		return fail("a path of %d bytes; want at most %d", len(i.Path()), maxPath)
	}
	i.Transport, i.DeviceType, i.RequestPlaneCodec, i.Epoch = *j.Transport, j.DeviceType, j.Codec, j.Epoch
	if j.Heartbeat > 0 {
		i.LastHeartbeat = time.Unix(j.Heartbeat, 0)
	}
	if i.Health, err = parseHealth(j.Health); err != nil {
		return fail("%w", err)
	}
	for _, raw := range j.Alternatives {
		var t Transport
		if json.Unmarshal(raw, &t) == nil && t.Kind != "" && len(i.Alternatives) < maxAlternatives {
			i.Alternatives = append(i.Alternatives, t)
		}
	}
	return i, nil
}

type healthJSON struct {
	Reason string `json:"reason"`
}

func (h Health) encode() (json.RawMessage, error) {
	if h.Status == Healthy {
		return json.RawMessage(`"healthy"`), nil
	}
	return marshal(map[string]healthJSON{h.Status.String(): {h.Reason}})
}

func parseHealth(raw json.RawMessage) (Health, error) {
	if raw = bytes.TrimSpace(raw); len(raw) == 0 || string(raw) == "null" {
		return Health{}, nil
	}
	var word string
	var reason healthJSON
	if raw[0] == '"' {
		if err := json.Unmarshal(raw, &word); err != nil {
			return Health{}, err
		}
	} else {
		var m map[string]json.RawMessage
		if err := json.Unmarshal(raw, &m); err != nil {
			return Health{}, fmt.Errorf("health_status: %w", err)
		}
		if len(m) != 1 {
			return Health{}, fmt.Errorf("health_status with %d variants; want one", len(m))
		}
		for w, r := range m {
			word = w
			_ = json.Unmarshal(r, &reason) // a reason of another form is no reason to lose the worker
		}
	}
	h := Health{Reason: strings.ToValidUTF8(reason.Reason[:min(len(reason.Reason), maxReason)], "")}
	switch word {
	case "healthy":
		return Health{}, nil
	case "degraded":
		h.Status = Degraded
	case "unhealthy":
		h.Status = Unhealthy
	default:
		h = Health{Degraded, fmt.Sprintf("status %.40q is not known here", word)}
	}
	return h, nil
}
