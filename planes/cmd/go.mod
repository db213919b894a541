module github.com/wireplane/wireplane/planes/cmd

go 1.26.0

require golang.org/x/sys v0.43.0

replace github.com/wireplane/wireplane => ../..
