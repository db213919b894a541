package contend

import "github.com/wireplane/wireplane/planes/cmd/internal/bench"

// All returns every contender, the floor first.
func All() []bench.Contender {
	return []bench.Contender{Raw(), Plane(), PlaneSums(), GnetEcho(), NetEcho()}
}
