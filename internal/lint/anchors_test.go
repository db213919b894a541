package lint_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

const protocol = "spec/PROTOCOL.md"

var (
	// ruleStart is an anchor at the start of a rule: it defines the rule. An
	// anchor elsewhere in the text points to one.
	ruleStart = regexp.MustCompile(`(?m)^[ \t]*(?:[-*|>]|[0-9]+\.)?[ \t]*(?:\*\*)?\[(mux-[a-z]+-[0-9]+)\]`)
	anchor    = regexp.MustCompile(`\bmux-[a-z]+-[0-9]+\b`)
)

// TestAnchorsAreProved holds spec, code and tests together: every rule of the
// protocol is cited by a test or a scenario, and whatever is cited exists.
func TestAnchorsAreProved(t *testing.T) {
	text := read(t, protocol)
	defined := make(map[string]bool)
	for _, m := range ruleStart.FindAllStringSubmatch(text, -1) {
		if defined[m[1]] {
			t.Errorf("%s: [%s] starts two rules", protocol, m[1])
		}
		defined[m[1]] = true
	}
	if len(defined) == 0 {
		t.Fatalf("%s has no rule with an anchor", protocol)
	}
	proved := make(map[string]bool)
	for _, f := range tracked(t) {
		if ownRule(f) {
			continue
		}
		for _, a := range citedIn(t, f) {
			if !defined[a] {
				t.Errorf("%s cites [%s], which %s does not define", f, a, protocol)
			}
			proved[a] = proved[a] || isTest(f) || strings.Contains(f, "/testdata/")
		}
	}
	for a := range defined {
		if !proved[a] {
			t.Errorf("%s: no test and no scenario cites [%s]", protocol, a)
		}
	}
}

// citedIn returns the anchors that a file of ours mentions.
func citedIn(t *testing.T, f string) []string {
	t.Helper()
	kinds := []string{".go", ".md", ".txt", ".txtar", ".wire"}
	if !slices.ContainsFunc(kinds, func(k string) bool { return strings.HasSuffix(f, k) }) {
		return nil
	}
	return anchor.FindAllString(read(t, f), -1)
}

// TestAnchorsOfEveryMust: a sentence that obliges somebody can be cited.
func TestAnchorsOfEveryMust(t *testing.T) {
	must := regexp.MustCompile(`\*\*MUST( NOT)?\*\*`)
	for para := range strings.SplitSeq(read(t, protocol), "\n\n") {
		for _, item := range regexp.MustCompile(`(?m)^[ \t]*(?:[-*]|[0-9]+\.|\|)[ \t]`).Split(para, -1) {
			if must.MatchString(item) && !anchor.MatchString(item) {
				t.Errorf("%s: a MUST without an anchor: %.90q", protocol, strings.TrimSpace(item))
			}
		}
	}
}
