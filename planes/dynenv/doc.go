// Package dynenv holds every setting of the planes in one table: its name in the
// environment, its path in the configuration file, its kind, unit, default and
// meaning. [Load] turns an environment and a parsed file into a [Config] of plain
// Go values, or into an error that names every mistake at once.
//
// The environment wins over the file, the file over the default; [Config.Values]
// tells for each setting which of them spoke. A variable that is set but empty
// counts as not set. ENV.md is the same table as a page.
//
// The package imports nothing but std, and does not read the file: who has YAML
// hands it over as a [Tree]. [FromOS] is the one place where the environment of
// the process is read.
package dynenv

//go:generate go test -count=1 -run ^TestEnvMDIsFresh$ . -update
