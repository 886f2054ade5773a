// Package schemas holds the CIM schema that is served, as MOF text: a class a
// file, and the qualifiers that they use. It is the only place where classes are
// declared. The CIM_ classes have the names, types, keys and value maps of the
// DMTF's CIM Schema 2.49.
package schemas

import (
	"embed"
	"io/fs"
)

//go:embed *.mof
var files embed.FS

// Files are the *.mof files, all in the top folder. They are read-only and may
// be read from many goroutines.
func Files() fs.FS { return files }
