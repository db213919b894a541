package httpplane

import (
	"errors"

	"github.com/wireplane/wireplane/planes"
)

// typed returns the *planes.Error in err's tree, or nil.
func typed(err error) *planes.Error {
	var e *planes.Error
	if errors.As(err, &e) {
		return e
	}
	return nil
}
