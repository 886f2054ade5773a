package mof

import (
	"errors"
	"strings"

	"twinlun/cim"
)

// linker makes classes of declarations. Names are looked up in lower case.
type linker struct {
	quals map[string]*qualifier
	decls map[string]*ClassDecl
	// built has the classes that are done, nil where one could not be made.
	built map[string]*cim.Class
	open  map[string]bool // being made: superclasses of the one at hand
	order []*cim.Class    // superclasses before subclasses
	uses  []classUse
	errs  []error
}

// classUse is a place that names a class as the type of something. It is looked
// up when all classes are made.
type classUse struct {
	at    Pos
	what  string
	class string
	// within is the class that the overridden declaration names; class must be
	// it or derive from it. Empty where nothing is overridden.
	within string
}

// Link makes a schema of declarations: it flattens inheritance, passes
// qualifiers on to overriding elements and refuses what DSP0004 does not allow.
// All faults found are in the error, each an *Error.
func Link(decls []Decl) (*cim.Schema, error) {
	l := &linker{
		quals: map[string]*qualifier{},
		decls: map[string]*ClassDecl{},
		built: map[string]*cim.Class{},
		open:  map[string]bool{},
	}
	classes := l.collect(decls)
	for _, d := range classes {
		l.class(d)
	}
	for _, u := range l.uses {
		l.checkUse(u)
	}
	if len(l.errs) > 0 {
		return nil, errors.Join(l.errs...)
	}
	return cim.NewSchema(l.order), nil
}

func (l *linker) errorf(at Pos, format string, args ...any) {
	l.errs = append(l.errs, errorf(at, format, args...))
}

// collect fills the tables of names and gives the classes in their order.
func (l *linker) collect(decls []Decl) []*ClassDecl {
	var classes []*ClassDecl
	for _, d := range decls {
		switch d := d.(type) {
		case *QualifierDecl:
			l.addQualifier(d)
		case *ClassDecl:
			if l.addClass(d) {
				classes = append(classes, d)
			}
		}
	}
	return classes
}

func (l *linker) addClass(d *ClassDecl) bool {
	key := strings.ToLower(d.Name)
	if before := l.decls[key]; before != nil {
		l.errorf(d.Pos, "class %s is already declared at %s", d.Name, before.Pos)
		return false
	}
	l.decls[key] = d
	return true
}

// class makes the class of a declaration, and before it its superclass; nil
// where a superclass is missing, which has been reported then.
func (l *linker) class(d *ClassDecl) *cim.Class {
	key := strings.ToLower(d.Name)
	if c, done := l.built[key]; done {
		return c
	}
	l.open[key] = true
	super, ok := l.super(d)
	delete(l.open, key)
	l.built[key] = nil
	if !ok {
		return nil
	}
	c := l.build(d, super)
	l.built[key] = c
	l.order = append(l.order, c)
	return c
}

// super is the superclass of d, nil if it has none; ok is false if it should
// have one that there is not.
func (l *linker) super(d *ClassDecl) (c *cim.Class, ok bool) {
	if d.Super == "" {
		return nil, true
	}
	key := strings.ToLower(d.Super)
	decl := l.decls[key]
	switch {
	case decl == nil:
		l.errorf(d.SuperAt, "class %s derives from %s, which is not declared", d.Name, d.Super)
		return nil, false
	case l.open[key]:
		l.errorf(d.SuperAt, "class %s derives from itself through %s", d.Name, d.Super)
		return nil, false
	}
	c = l.class(decl)
	return c, c != nil
}

// checkUse looks up a class that something refers to.
func (l *linker) checkUse(u classUse) {
	key := strings.ToLower(u.class)
	if l.decls[key] == nil {
		l.errorf(u.at, "%s names class %s, which is not declared", u.what, u.class)
		return
	}
	if c := l.built[key]; c != nil && u.within != "" && !c.IsA(u.within) {
		l.errorf(u.at, "%s overrides one of class %s, from which %s does not derive", u.what, u.within, u.class)
	}
}
