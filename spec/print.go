package spec

import "strings"

// ExprString returns the text of an expression in canonical spacing.
func ExprString(e Expr) string {
	var b strings.Builder
	printExpr(&b, e)
	return b.String()
}

func printExpr(b *strings.Builder, e Expr) {
	switch e := e.(type) {
	case *Ident:
		b.WriteString(e.Name)
	case *This:
		b.WriteString("this")
	case *Number:
		b.WriteString(e.Text)
	case *StringLit:
		b.WriteString(`"` + e.Value + `"`)
	case *BoolLit:
		if e.Value {
			b.WriteString("true")
		} else {
			b.WriteString("false")
		}
	case *Unary:
		b.WriteString(e.Op)
		printExpr(b, e.X)
	case *Binary:
		printExpr(b, e.X)
		b.WriteString(" " + e.Op + " ")
		printExpr(b, e.Y)
	case *Cond:
		printExpr(b, e.If)
		b.WriteString(" ? ")
		printExpr(b, e.Then)
		b.WriteString(" : ")
		printExpr(b, e.Else)
	case *Selector:
		printExpr(b, e.X)
		b.WriteString("." + e.Name)
	case *Paren:
		b.WriteString("(")
		printExpr(b, e.X)
		b.WriteString(")")
	case *Call:
		b.WriteString(e.Name + "(")
		for i, a := range e.Args {
			if i > 0 {
				b.WriteString(", ")
			}
			printExpr(b, a)
		}
		b.WriteString(")")
	case *FieldRange:
		b.WriteString(e.From.Name + ".." + e.To.Name)
	case *InExpr:
		printExpr(b, e.X)
		b.WriteString(" in ")
		printSet(b, e.Set)
	}
}

func printSet(b *strings.Builder, set []*SetItem) {
	braces := len(set) != 1 || set[0].Hi == nil
	if braces {
		b.WriteString("{")
	}
	for i, it := range set {
		if i > 0 {
			b.WriteString(", ")
		}
		printExpr(b, it.Lo)
		if it.Hi != nil {
			b.WriteString("..")
			printExpr(b, it.Hi)
		}
	}
	if braces {
		b.WriteString("}")
	}
}
