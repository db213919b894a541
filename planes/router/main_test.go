package router_test

import (
	"testing"

	"github.com/wireplane/wireplane/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }
