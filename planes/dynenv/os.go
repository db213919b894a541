package dynenv

import "os"

// FromOS returns the environment of this process, for [Load].
func FromOS() []string {
	return os.Environ() //nolint:forbidigo // this is the one reader
}

// ConfigFile returns the path of the configuration file that an environment names
// with WIREPLANE_CONFIG; "" means that it names none.
func ConfigFile(environ []string) string { return lookup(environ)[configVariable] }
