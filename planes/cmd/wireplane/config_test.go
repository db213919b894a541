package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestConfig(t *testing.T) {
	file := filepath.Join(t.TempDir(), "f.yaml")
	if err := os.WriteFile(file, []byte("transport:\n  request_plane:\n    mode: tcp\n    nats:\n      token: s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	environ := []string{"DYN_LOG=debug", "WIREPLANE_CONFIG=" + file, "WIREPLANE_TCP_WIER=mux"}
	got := runCommand(t, &app{environ: environ}, "", "config")
	if got.code != exitOK || !strings.Contains(got.errOut, "did you mean WIREPLANE_TCP_WIRE?") || strings.Contains(got.out, "s3cret") {
		t.Errorf("%+v", got)
	}
	for name, want := range map[string]string{
		"DYN_REQUEST_PLANE": "tcp " + file + ":3 how requests travel", "DYN_LOG": "debug environment what is logged",
		"NATS_AUTH_TOKEN": "*** " + file + ":5 token", "DYN_TCP_POOL_KEEPALIVE_SECS": "60 s default silence",
	} {
		words := strings.Join(strings.Fields(got.out), " ")
		if !strings.Contains(words, " "+name+" "+want) {
			t.Errorf("%s: does not say %q:\n%s", name, want, got.out)
		}
	}
	check := runCommand(t, &app{}, "", "config", "--check", "--file", file)
	if check.code != exitOK || !strings.HasSuffix(check.out, "settings, 2 of them set: no mistakes\n") || strings.Count(check.out, "\n") != 1 {
		t.Errorf("%+v", check)
	}
	lines := strings.Split(strings.TrimSpace(runCommand(t, &app{environ: environ}, "", "config", "--json").out), "\n")
	var first, last map[string]any
	if err := json.Unmarshal([]byte(lines[0]), &first); err != nil || first["name"] != "DYN_REQUEST_PLANE" || first["source"] != "file" {
		t.Errorf("%v, %v", first, err)
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil || last["ok"] != true || last["set"] != 4.0 {
		t.Errorf("%v, %v", last, err)
	}
}

func TestConfigReportsAllMistakes(t *testing.T) {
	environ := []string{"DYN_TCP_POOL_MAX_PER_TARGET=lots", "DYN_RESPONSE_PLANE=velo", "DYN_TCP_TLS_KEY_PATH=x", "DYN_HTTP_REQUEST_TIMEOUT=5s"}
	for _, args := range [][]string{{"config"}, {"config", "--check"}, {"config", "--json"}} {
		got := runCommand(t, &app{environ: environ}, "", args...)
		if got.code != exitUsage || strings.Count(got.errOut, "\n") != 5 || !strings.HasSuffix(got.errOut, ": 4 mistakes\n") {
			t.Errorf("%v: %+v", args, got)
		}
		if asJSON := len(args) == 2 && args[1] == "--json"; asJSON != strings.HasPrefix(got.out, `{"mistakes":[{"name":"DYN_RESPONSE_PLANE"`) {
			t.Errorf("%v: %s", args, got.out)
		}
	}
	missing := runCommand(t, &app{}, "", "config", "--file", filepath.Join(t.TempDir(), "missing"))
	if missing.code != exitFailed || missing.out != "" || !strings.Contains(missing.errOut, "no such file") {
		t.Errorf("%+v", missing)
	}
}
