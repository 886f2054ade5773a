package mof

import "twinlun/cim"

// Decl is a *QualifierDecl or a *ClassDecl.
type Decl interface {
	// At is where the name of what is declared stands.
	At() Pos
}

// Literal is a value as it was written. Value is what cim.Value says, but
// before it is made to fit a type: integers are uint64, or int64 when negative,
// a datetime is still a string.
type Literal struct {
	Pos
	Value cim.Value
}

// QualifierDecl declares a qualifier: its type, default, where it may stand and
// what becomes of it in subclasses.
type QualifierDecl struct {
	Pos
	Name        string
	Type        cim.Type
	Array       bool
	Default     *Literal // nil: NULL
	Scopes      []string // lower case: class, property, any, ...
	ToSubclass  bool     // inherited by overriding elements and subclasses
	Overridable bool     // may get another value there
}

// QualifierUse is a qualifier on an element; Value is nil where none was given.
type QualifierUse struct {
	Pos
	Name  string
	Value *Literal
}

// TypeRef is a declared type. RefClass is set for cim.Reference only.
type TypeRef struct {
	Type     cim.Type
	RefClass string
	Array    bool
}

// PropertyDecl declares a property or a reference.
type PropertyDecl struct {
	Pos
	Name       string
	Type       TypeRef
	Default    *Literal // nil: none was given
	Qualifiers []QualifierUse
}

// ParamDecl declares a parameter of a method.
type ParamDecl struct {
	Pos
	Name       string
	Type       TypeRef
	Qualifiers []QualifierUse
}

// MethodDecl declares a method.
type MethodDecl struct {
	Pos
	Name       string
	Return     cim.Type
	Params     []*ParamDecl
	Qualifiers []QualifierUse
}

// ClassDecl declares a class, an association or an indication.
type ClassDecl struct {
	Pos
	Name       string
	Super      string // empty for a root
	SuperAt    Pos
	Qualifiers []QualifierUse
	Properties []*PropertyDecl
	Methods    []*MethodDecl
}
