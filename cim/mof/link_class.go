package mof

import (
	"strings"

	"twinlun/cim"
)

// build makes a class of its declaration and its superclass.
func (l *linker) build(d *ClassDecl, super *cim.Class) *cim.Class {
	c := &cim.Class{Name: d.Name, Super: super}
	var above cim.Qualifiers
	if super != nil {
		above = super.Qualifiers
		c.Properties = inheritProperties(super)
		c.Methods = inheritMethods(super)
	}
	c.Qualifiers = l.qualifiers(classScope(d), d.Qualifiers, above)
	c.Abstract = c.Qualifiers.Flag(qualAbstract)
	c.Association = c.Qualifiers.Flag(qualAssociation)
	c.Indication = c.Qualifiers.Flag(qualIndication)
	l.checkKind(d, super)
	l.properties(c, d)
	l.methods(c, d)
	c.Link()
	return c
}

// classScope is what kind of class the declaration says it is.
func classScope(d *ClassDecl) string {
	switch {
	case states(d, qualAssociation):
		return scopeAssociation
	case states(d, qualIndication):
		return scopeIndication
	default:
		return scopeClass
	}
}

// states says whether a class has a boolean qualifier of its own that is true.
func states(d *ClassDecl, name string) bool {
	u, ok := useOf(d.Qualifiers, name)
	return ok && (u.Value == nil || u.Value.Value == true)
}

// checkKind wants an association to derive from an association only, and to
// say that it is one; others from others (DSP0004 section 5.6.3.3).
func (l *linker) checkKind(d *ClassDecl, super *cim.Class) {
	if super == nil {
		return
	}
	switch own := states(d, qualAssociation); {
	case own && !super.Association:
		l.errorf(d.Pos, "association %s derives from %s, which is not one", d.Name, super.Name)
	case !own && super.Association:
		l.errorf(d.Pos, "class %s derives from association %s but is not qualified as one", d.Name, super.Name)
	}
}

// inheritProperties lists the properties of a superclass as its subclass has
// them. Those that the superclass inherited itself are shared with it.
func inheritProperties(super *cim.Class) []*cim.Property {
	out := make([]*cim.Property, len(super.Properties))
	for i, p := range super.Properties {
		if !p.Propagated {
			own := *p
			own.Propagated = true
			p = &own
		}
		out[i] = p
	}
	return out
}

func inheritMethods(super *cim.Class) []*cim.Method {
	out := make([]*cim.Method, len(super.Methods))
	for i, m := range super.Methods {
		if !m.Propagated {
			own := *m
			own.Propagated = true
			m = &own
		}
		out[i] = m
	}
	return out
}

// member is what is needed to know of a property or method to place it.
type member struct {
	at    Pos
	what  string // property or method
	name  string
	quals []QualifierUse
}

// places finds where the members of a class go: at, the index of each name, is
// of the inherited ones first; own ones are added as they come.
type places struct {
	l   *linker
	at  map[string]int
	own map[string]Pos
}

func newPlaces(l *linker, names []string) *places {
	ps := &places{l: l, at: map[string]int{}, own: map[string]Pos{}}
	for i, name := range names {
		ps.at[strings.ToLower(name)] = i
	}
	return ps
}

// find gives the index of the inherited member that m overrides, or -1 for a
// new one. What may not be, a name used twice or an override of nothing, is
// reported, and ok is false.
func (ps *places) find(m member) (index int, ok bool) {
	key := strings.ToLower(m.name)
	if before, twice := ps.own[key]; twice {
		ps.l.errorf(m.at, "%s %s is already declared at %s", m.what, m.name, before)
		return 0, false
	}
	ps.own[key] = m.at
	index, inherited := ps.at[key]
	use, overrides := useOf(m.quals, qualOverride)
	switch {
	case overrides && !overridesItself(use, m.name):
		ps.l.errorf(use.Pos, "%s %s can only override one of its own name", m.what, m.name)
	case overrides && !inherited:
		ps.l.errorf(use.Pos, "%s %s overrides nothing: no superclass has it", m.what, m.name)
	case !overrides && inherited:
		ps.l.errorf(m.at, "%s %s is inherited: it can only be declared again with Override", m.what, m.name)
	case inherited:
		return index, true
	default:
		return -1, true
	}
	return 0, false
}

// overridesItself says whether the value of an Override names the member that
// has it; no value means that.
func overridesItself(u QualifierUse, name string) bool {
	if u.Value == nil || u.Value.Value == nil {
		return true
	}
	other, ok := u.Value.Value.(string)
	return ok && strings.EqualFold(other, name)
}
