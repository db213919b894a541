package dynenv

import (
	"errors"
	"fmt"
	"time"
)

// dynamoLeaseTTL is the default in the layout of released Dynamo.
const dynamoLeaseTTL = 10 * time.Second

// Validate reports every mistake in c at once, as [Load] does; for who has changed
// a field. The error joins a [*KnobError] for each.
func (c *Config) Validate() error {
	var errs []error
	bad := make(map[string]bool)
	for i := range table {
		k := &table[i]
		text := k.show(c)
		if k.NotYet != "" || text == "" && k.mayBeEmpty() {
			continue
		}
		if want := k.set(new(Config), text); want != "" {
			bad[k.Name] = true
			errs = append(errs, c.mistake(k.Name, want))
		}
	}
	return errors.Join(append(errs, c.cross(bad)...)...)
}

// mayBeEmpty tells whether "" is a value: not set.
func (k *Knob) mayBeEmpty() bool {
	return k.Default == "" || k.Name == "NATS_AUTH_USERNAME" || k.Name == "NATS_AUTH_PASSWORD"
}

// mistake is an error about the value that a knob has in c.
func (c *Config) mistake(name, want string) *KnobError {
	k := find(name)
	o := c.sources[name]
	if o.source == "" {
		o.source = SourceDefault
	}
	return &KnobError{Name: name, Value: k.mask(k.show(c)), Want: want, Source: o.source, Where: o.where}
}

// cross checks what depends on more than one knob, but for those that are bad.
func (c *Config) cross(bad map[string]bool) (errs []error) {
	check := func(wrong bool, name, other, want string) {
		if wrong && !bad[name] && !bad[other] {
			errs = append(errs, c.mistake(name, want))
		}
	}
	check(c.Pool.MinIdle > c.Pool.MaxPerTarget, "DYN_TCP_POOL_MIN_IDLE", "DYN_TCP_POOL_MAX_PER_TARGET",
		fmt.Sprintf("at most DYN_TCP_POOL_MAX_PER_TARGET, which is %d", c.Pool.MaxPerTarget))
	check(c.Liveness.Timeout <= c.Liveness.Probe, "WIREPLANE_LIVENESS_TIMEOUT", "WIREPLANE_LIVENESS_PROBE",
		fmt.Sprintf("more than WIREPLANE_LIVENESS_PROBE, which is %v", c.Liveness.Probe))
	keeps := c.CallHome.Mode == "pooled" || c.CallHome.Mode == "mux" && c.set("DYN_TCP_POOL_ENABLED")
	check(keeps && !c.Pool.Enabled, "WIREPLANE_CALLHOME_MODE", "DYN_TCP_POOL_ENABLED",
		"auto or single while DYN_TCP_POOL_ENABLED is false, which means a socket for each response")

	pair := func(a, b string, aSet, bSet bool) {
		check(aSet && !bSet, a, b, b+" beside it")
		check(bSet && !aSet, b, a, a+" beside it")
	}
	pair("NATS_AUTH_USERNAME", "NATS_AUTH_PASSWORD", c.NATS.Username != "", c.NATS.Password != "")
	pair("ETCD_AUTH_USERNAME", "ETCD_AUTH_PASSWORD", c.Etcd.Username != "", c.Etcd.Password != "")
	pair("ETCD_AUTH_CLIENT_CERT", "ETCD_AUTH_CLIENT_KEY", c.Etcd.ClientCertPath != "", c.Etcd.ClientKeyPath != "")

	first := ""
	for _, way := range []struct {
		name string
		set  bool
	}{
		{"NATS_AUTH_USERNAME", c.NATS.Username != ""}, {"NATS_AUTH_TOKEN", c.NATS.Token != ""},
		{"NATS_AUTH_NKEY", c.NATS.NKey != ""}, {"NATS_AUTH_CREDENTIALS_FILE", c.NATS.CredentialsFile != ""},
	} {
		check(way.set && first != "", way.name, first, "one way to authenticate; "+first+" is another")
		if way.set && first == "" {
			first = way.name
		}
	}
	return errs
}
