package router_test

import (
	"context"
	"fmt"

	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/router"
)

// A stream that breaks goes on at another instance: the caller says what the request is
// that continues it.
func ExampleMigrate() {
	ask := func(ctx context.Context, r *router.Router, prompt []byte) error {
		goOn := func(delivered [][]byte, cause error) (*planes.Request, bool) {
			rest := append([]byte{}, prompt...)
			for _, token := range delivered {
				rest = append(rest, token...)
			}
			return &planes.Request{Payload: rest}, true
		}
		s, err := r.Stream(ctx, "llm/backend/generate", &planes.Request{Payload: prompt},
			router.With(router.PowerOfTwo), router.Migrate(2, 1<<20, goOn))
		if err != nil {
			return err
		}
		for token, err := range planes.All(ctx, s) {
			if err != nil {
				return err
			}
			fmt.Printf("%s", token)
		}
		return nil
	}
	_ = ask // with a router as in the example of package planetest
}
