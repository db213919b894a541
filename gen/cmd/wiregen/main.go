package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/wireplane/wireplane/gen"
	"github.com/wireplane/wireplane/spec"
)

func main() {
	src, _ := os.ReadFile(os.Args[4])
	f, err := spec.Parse(os.Args[4], src)
	if err == nil {
		err = f.Check()
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	files, err := gen.Generate(f, gen.Options{Package: os.Args[1], ImportPath: os.Args[2]})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	for _, f := range files {
		if err := os.WriteFile(filepath.Join(os.Args[3], f.Name), f.Content, 0o644); err != nil {
			panic(err)
		}
	}
}
