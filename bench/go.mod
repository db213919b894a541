module github.com/wireplane/wireplane/bench

go 1.26.0

replace github.com/wireplane/wireplane => ..
