package lint_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	settingsName = regexp.MustCompile(`(Config|Limits|Options)$`)
	saysZero     = regexp.MustCompile(`(?i)\b(0|zero|nil|empty|none|default|required|given)\b|""`)
)

// TestSettingsSayWhatZeroMeans: a setting that is left out has a meaning, and the
// field's comment tells it. A bool's name does, a nested struct of settings has
// comments of its own, and the comment of the type may name an exception.
func TestSettingsSayWhatZeroMeans(t *testing.T) {
	for _, f := range goFiles(t) {
		if isTest(f) || slices.Contains(strings.Split(f, "/"), "internal") || isGenerated(read(t, f)) {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, f), nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if gen, ok := d.(*ast.GenDecl); ok {
				checkSettings(t, f, gen)
			}
		}
	}
}

func checkSettings(t *testing.T, file string, gen *ast.GenDecl) {
	t.Helper()
	for _, spec := range gen.Specs {
		ts, ok := spec.(*ast.TypeSpec)
		if !ok || !ts.Name.IsExported() || !settingsName.MatchString(ts.Name.Name) {
			continue
		}
		s, ok := ts.Type.(*ast.StructType)
		if !ok {
			continue
		}
		for _, name := range silentFields(s, gen.Doc.Text()+ts.Doc.Text()) {
			t.Errorf("%s: the comment of %s.%s does not say what zero means", file, ts.Name.Name, name)
		}
	}
}

func silentFields(s *ast.StructType, typeDoc string) (out []string) {
	for _, f := range s.Fields.List {
		if saysZero.MatchString(f.Doc.Text()+f.Comment.Text()) || speaksForItself(f.Type) {
			continue
		}
		for _, name := range f.Names {
			if name.IsExported() && !regexp.MustCompile(`\b`+name.Name+`\b`).MatchString(typeDoc) {
				out = append(out, name.Name)
			}
		}
	}
	return out
}

func speaksForItself(field ast.Expr) bool {
	switch e := field.(type) {
	case *ast.Ident:
		return e.Name == "bool" || settingsName.MatchString(e.Name)
	case *ast.SelectorExpr:
		return settingsName.MatchString(e.Sel.Name)
	}
	return false
}
