package faults_test

import (
	"os"
	"testing"

	"github.com/wireplane/wireplane/internal/testenv"
)

// TestMain runs the tests, or, in a process that a test has started to kill it, one
// worker or router.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == childFlag {
		os.Exit(child(os.Args[2]))
	}
	testenv.Main(m)
}
