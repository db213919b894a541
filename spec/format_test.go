package spec_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/wireplane/wireplane/spec"
)

func TestFormat(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{
			"members, comments and blank lines",
			"\n\nprotocol   p version  1\n\n\n\nframe  A{\n\n  x:u8// one\n longer_name :u16le  in 1 .. 5 // two\r\n\n\n // alone\n\ty: bytes< u8   max 4 >borrow;\n\n}\n",
			"protocol p version 1\n\nframe A {\n    x:           u8             // one\n    longer_name: u16le in 1..5  // two\n\n    // alone\n    y: bytes<u8 max 4> borrow\n}\n",
		},
		{
			"expressions",
			"protocol p\nframe A(n:u8=2){x:u8 where -1<this&&!(this==3)||n>-2\ny:u8 if n==1?true:false\nz:u32=crc32c(x..y,x)&0xff or 0\nb:u8[n+1 max 4]\nassert x in {1,2..3}&&count( b )<=2}\n",
			"protocol p\nframe A(n: u8 = 2) { x: u8 where -1 < this && !(this == 3) || n > -2\n    y: u8 if n == 1 ? true : false\n    z: u32 = crc32c(x..y, x) & 0xff or 0\n    b: u8[n + 1 max 4]\n    assert x in {1, 2..3} && count(b) <= 2 }\n",
		},
		{
			"matches",
			"protocol p\nframe A {\nk:u8\nbody:match k{\n1=>region[4]of B\n2,30 => none // nothing\nelse=>error\n}\n}\nstruct B{_:bytes[.. max 4]}\nstream S{A   A * A?}\n",
			"protocol p\nframe A {\n    k: u8\n    body: match k {\n        1     => region[4] of B\n        2, 30 => none  // nothing\n        else  => error\n    }\n}\nstruct B { _: bytes[.. max 4] }\nstream S { A A* A? }\n",
		},
		{
			"enums and flags",
			"protocol p\nopen enum E:u8{\nA=1// one\nLONG=2..5   // two\n}\nflags F:u8{\nX=bit 0\nrest keep\n}\nclosed enum G:u8{A=1,B=2}\n",
			"protocol p\nopen enum E: u8 {\n    A    = 1     // one\n    LONG = 2..5  // two\n}\nflags F: u8 {\n    X = bit 0\n    rest keep\n}\nclosed enum G: u8 { A = 1, B = 2 }\n",
		},
		{
			"vectors",
			"protocol p\naccept A(1)\"00\"\n\"01\"\n={x:1,\nlonger:[1,-2,{a:B|C}],\n}\nreject A\"00\":Range at 0\n",
			"protocol p\naccept A(1) \"00\"\n    \"01\"\n    = { x: 1,\n        longer: [1, -2, { a: B | C }],\n    }\nreject A \"00\" : Range at 0\n",
		},
		{
			"continued expressions",
			"protocol p\nframe A {\nx: u8 where this > 1 &&\nthis < 5\ny: u8\nassert x == 1 ?\ny == 1\n: y == 2\n}\n",
			"protocol p\nframe A {\n    x: u8 where this > 1 &&\n        this < 5\n    y: u8\n    assert x == 1 ?\n        y == 1\n        : y == 2\n}\n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := spec.Format([]byte(tt.in))
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
			again, err := spec.Format(got)
			if err != nil || string(again) != string(got) {
				t.Errorf("second time (%v):\n%s", err, again)
			}
		})
	}
}

func TestFormatRefusesWhatDoesNotParse(t *testing.T) {
	out, err := spec.Format([]byte("protocol p\nframe A {"))
	var list spec.ErrorList
	if out != nil || !errors.As(err, &list) || len(list) != 1 {
		t.Errorf("%q, %v", out, err)
	}
}

func TestRenderOfAwkwardLines(t *testing.T) {
	long := "protocol p\nframe A { " + strings.Repeat("x: u8; ", 60) + "y: Nope }\n"
	tests := []struct{ name, src, want string }{
		{"tabs are one column", "protocol p\nframe A {\n\tx:\tnope\n}\n", "    3 |  x: nope\n      |     ^^^^\n"},
		{"characters and not bytes are columns", "protocol p\nconst A = \"äöü\" + nope\n", "    2 | const A = \"äöü\" + nope\n      |           ^^^^^\n"},
		{"long lines are cut", long, "      |                                                                                 ^\n"},
		{"control characters are shown", "protocol p\nframe A { x: \x01 }\n", "    2 | frame A { x: ? }\n      |              ^\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := diagnose("x.wire", tt.src)
			if err == nil || !strings.Contains(got, tt.want) {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

func TestExprString(t *testing.T) {
	const src = "protocol p\nframe A(n: u8) {\n    x: u8 where -this + 1 < (n * 2) && !(n in {1, 2..3}) || n in 4..5 ? true : n == 1 KiB\n    y: u32 = crc32c(x..x, x)\n}\n"
	f, err := spec.Parse("x", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	a := f.Structs[0]
	x, y := a.Members[0].(*spec.Field), a.Members[1].(*spec.Field)
	if got, want := spec.ExprString(x.Where[0]), "-this + 1 < (n * 2) && !(n in {1, 2..3}) || n in 4..5 ? true : n == 1 KiB"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := spec.ExprString(y.Derived); got != "crc32c(x..x, x)" {
		t.Errorf("got %s", got)
	}
}
