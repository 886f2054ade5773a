package deps

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// source is what a Go file says that the rules are about.
type source struct {
	path       string // relative to the module
	imports    []importLine
	inits      []int // lines of functions named init
	registerer bool  // speaks of prometheus.Registerer
}

type importLine struct {
	path string
	line int
}

func (s source) dir() string  { return path.Dir(s.path) }
func (s source) isTest() bool { return strings.HasSuffix(s.path, "_test.go") }

// testing says whether test-only modules are at home in the file.
func (s source) testing() bool {
	return s.isTest() || within(s.dir(), "test/...") || strings.HasSuffix(s.dir(), "test")
}

// readModule reads all Go files of a module, but those that the go tool ignores.
func readModule(root fs.FS) ([]source, error) {
	var out []source
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != "." && ignored(d.Name()):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, ".go"):
			return nil
		}
		text, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		s, err := parse(name, text)
		out = append(out, s)
		return err
	})
	return out, err
}

func ignored(dir string) bool {
	return dir == "testdata" || dir == "vendor" || dir[0] == '.' || dir[0] == '_'
}

func parse(name string, text []byte) (source, error) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, name, text, parser.SkipObjectResolution)
	if err != nil {
		return source{}, err
	}
	s := source{path: name}
	for _, spec := range file.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return source{}, err
		}
		s.imports = append(s.imports, importLine{imported, fset.Position(spec.Pos()).Line})
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			if n.Name.Name == "init" && n.Recv == nil {
				s.inits = append(s.inits, fset.Position(n.Pos()).Line)
			}
		case *ast.SelectorExpr:
			x, ok := n.X.(*ast.Ident)
			s.registerer = s.registerer || ok && x.Name == "prometheus" && n.Sel.Name == "Registerer"
		}
		return true
	})
	return s, nil
}
