package natsplane_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/natsplane"
)

func TestSubjectIsThatOfTheReleasedRuntime(t *testing.T) {
	for _, tc := range []struct {
		route    string
		instance uint64
		want     string
	}{
		{"dynamo/backend/generate", 0x694d9b96e24ab707, "dynamo_backend.generate-694d9b96e24ab707"},
		{"Name.Space/Comp onent/Gen", 1, "name_space_comp_onent.Gen-1"},
		{"_x/é/e", 255, "x__.e-ff"},
		{"a_b/c/e", 2, "a_b_c.e-2"},
		{"a/b_c/e", 2, "a_b_c.e-2"}, // the collision that released peers have
		{"alone", 3, "alone-3"},
		{"a/b/x.*> \ty", 0, "a_b.x_____y-0"},
	} {
		if got := natsplane.Subject(tc.route, tc.instance); got != tc.want {
			t.Errorf("%q: %q, want %q", tc.route, got, tc.want)
		}
	}
}

func FuzzSubjectNamesOneSubjectForAnyRoute(f *testing.F) {
	f.Add("dynamo/backend/generate", uint64(7))
	f.Add("*/>/ .", uint64(0))
	f.Add(strings.Repeat("\xcf", 1000), uint64(0)) // each byte that is no UTF-8 became three
	slug := regexp.MustCompile(`^([a-z0-9-][a-z0-9_-]*)?$`)
	f.Fuzz(func(t *testing.T, route string, instance uint64) {
		if len(route) > 1024 {
			return
		}
		s := natsplane.Subject(route, instance)
		if _, err := planes.NATSAddress(s); err != nil || strings.ContainsAny(s, "*>") || strings.Count(s, ".") > 1 {
			t.Errorf("%q: %q, %v", route, s, err)
		}
		if g := natsplane.Slug(route); !slug.MatchString(g) || natsplane.Slug(g) != g {
			t.Errorf("slug %q", g)
		}
	})
}

func TestEveryMistakeOfAConfigIsReported(t *testing.T) {
	cfg := natsplane.ConnConfig{URL: "http://x,nats://y", Password: "p", Token: "t", NKeySeed: "no", DialTimeout: -1}
	_, err := natsplane.Dial(cfg)
	for _, want := range []string{"http://x", "User and Password, Token, NKeySeed are set", "Password without User", "NKeySeed:", "DialTimeout"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want it to say %q", err, want)
		}
	}
}

func TestDialSaysThatNobodyListensAndHidesThePassword(t *testing.T) {
	_, err := natsplane.Dial(natsplane.ConnConfig{URL: "nats://me:secret@127.0.0.1:1"})
	if err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("%v", err)
	}
}
