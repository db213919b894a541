package netpoll_test

import (
	"os"
	"testing"

	"github.com/wireplane/wireplane/internal/testenv"
)

func TestMain(m *testing.M) {
	if os.Getenv(crowdedEnv) != "" {
		os.Exit(serveCrowded())
	}
	testenv.Main(m)
}
