package mof

import (
	"errors"
	"fmt"
	"io/fs"

	"twinlun/cim"
)

// maxFile is the most that one file may hold; the largest of DMTF's classes has
// a tenth of it.
const maxFile = 4 << 20

// Load reads all *.mof files of the top folder of fsys, in the order of their
// names, and links what they declare. Order between files does not matter. All
// faults are in the error, joined: at most one of syntax for each file, and when
// there is none of those, every one of meaning.
func Load(fsys fs.FS) (*cim.Schema, error) {
	names, err := fs.Glob(fsys, "*.mof")
	if err != nil {
		return nil, fmt.Errorf("mof: %w", err)
	}
	if len(names) == 0 {
		return nil, errors.New("mof: there are no *.mof files")
	}
	var decls []Decl
	var errs []error
	for _, name := range names {
		ds, err := loadFile(fsys, name)
		if err != nil {
			errs = append(errs, err)
		}
		decls = append(decls, ds...)
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return Link(decls)
}

func loadFile(fsys fs.FS, name string) ([]Decl, error) {
	info, err := fs.Stat(fsys, name)
	if err != nil {
		return nil, fmt.Errorf("mof: %w", err)
	}
	if info.Size() > maxFile {
		return nil, errorf(Pos{File: name, Line: 1, Col: 1}, "the file is larger than %d bytes", maxFile)
	}
	text, err := fs.ReadFile(fsys, name)
	if err != nil {
		return nil, fmt.Errorf("mof: %w", err)
	}
	return Parse(name, text)
}
