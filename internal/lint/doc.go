// Package lint holds the rules of this repository that no linter knows, as Go
// tests: who may import whom and why, what an importer of each package gets,
// package docs, file lengths, skips, the one reader of the environment, links,
// code blocks and anchors of the prose.
//
// The tests look at tracked files only, of every module. Where a rule has
// exceptions, they stand beside it with their reason. Goldens below testdata are
// rewritten with -update.
package lint
