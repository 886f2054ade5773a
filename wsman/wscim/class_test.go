package wscim

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
	"twinlun/wsman"
	"twinlun/wsman/soap"
)

// described is a class with everything that CIM-XML can say of one.
func described() *cim.Class {
	text := func(name, v string) cim.Qualifier { return cim.Qualifier{Name: name, Type: cim.String, Value: v} }
	flag := func(name string) cim.Qualifier { return cim.Qualifier{Name: name, Type: cim.Boolean, Value: true} }
	values := cim.Qualifier{Name: "ValueMap", Type: cim.String, Array: true, Value: []cim.Value{"1", "2", ".."}}
	root := &cim.Class{Name: "T_Root"}
	super := &cim.Class{Name: "T_Super", Super: root}
	c := &cim.Class{
		Name: "T_Class", Super: super, Abstract: true, Qualifiers: cim.Qualifiers{flag("Abstract"), text("Description", "a <class>")},
		Properties: []*cim.Property{
			{Name: "ID", Type: cim.String, Key: true, Origin: "T_Super", Propagated: true, Qualifiers: cim.Qualifiers{flag("Key")}},
			{Name: "Kind", Type: cim.Uint16, Default: uint64(2), Origin: "T_Class", Qualifiers: cim.Qualifiers{values}},
			{Name: "Names", Type: cim.String, Array: true, Default: []cim.Value{"a", nil}, Origin: "T_Class"},
			{Name: "Other", Type: cim.Reference, RefClass: "T_Root", Origin: "T_Class"},
			{Name: "Set", Type: cim.String, Embedded: "T_Super", Origin: "T_Class", Qualifiers: cim.Qualifiers{text("EmbeddedInstance", "T_Super")}},
			{Name: "Any", Type: cim.String, Embedded: "*", Origin: "T_Class"},
		},
		Methods: []*cim.Method{{
			Name: "Do", Return: cim.Uint32, Origin: "T_Class", Static: true, Qualifiers: cim.Qualifiers{text("Description", "does")},
			Params: []*cim.Parameter{
				{Name: "A", Type: cim.Uint16, In: true, Qualifiers: cim.Qualifiers{flag("In"), flag("Required")}},
				{Name: "B", Type: cim.String, Array: true, In: true, Out: true},
				{Name: "C", Type: cim.Reference, RefClass: "T_Root", Out: true},
				{Name: "D", Type: cim.Reference, RefClass: "T_Root", Array: true, In: true},
				{Name: "E", Type: cim.String, Embedded: "T_Super", In: true},
			},
		}},
	}
	root.Link()
	super.Link()
	c.Link()
	return c
}

func classXML(c *cim.Class, o ClassOptions) string {
	var w soap.Writer
	WriteClass(&w, c, o)
	return string(w.Bytes())
}

func TestWriteClass(t *testing.T) {
	all := ClassOptions{Qualifiers: true, ClassOrigin: true, Inherited: true, Hierarchy: true}
	const yes = ` TYPE="boolean"><VALUE>true</VALUE></QUALIFIER>`
	require.Equal(t, `<CLASS NAME="T_Class" SUPERCLASS="T_Super" DERIVATION="T_Super,T_Root"><QUALIFIER NAME="Abstract"`+yes+
		`<QUALIFIER NAME="Description" TYPE="string"><VALUE>a &lt;class&gt;</VALUE></QUALIFIER>`+
		`<PROPERTY NAME="ID" TYPE="string" CLASSORIGIN="T_Super" PROPAGATED="true"><QUALIFIER NAME="key"`+yes+`</PROPERTY>`+
		`<PROPERTY NAME="Kind" TYPE="uint16" CLASSORIGIN="T_Class"><QUALIFIER NAME="ValueMap" TYPE="string"><VALUE.ARRAY><VALUE>1</VALUE><VALUE>2</VALUE><VALUE>..</VALUE></VALUE.ARRAY></QUALIFIER><VALUE>2</VALUE></PROPERTY>`+
		`<PROPERTY.ARRAY NAME="Names" TYPE="string" CLASSORIGIN="T_Class"><VALUE.ARRAY><VALUE>a</VALUE><VALUE.NULL/></VALUE.ARRAY></PROPERTY.ARRAY>`+
		`<PROPERTY.REFERENCE NAME="Other" REFERENCECLASS="T_Root" CLASSORIGIN="T_Class"/>`+
		`<PROPERTY NAME="Set" TYPE="string" CLASSORIGIN="T_Class"><QUALIFIER NAME="EmbeddedInstance" TYPE="string"><VALUE>T_Super</VALUE></QUALIFIER></PROPERTY>`+
		`<PROPERTY NAME="Any" TYPE="string" CLASSORIGIN="T_Class"><QUALIFIER NAME="EmbeddedObject"`+yes+`</PROPERTY>`+
		`<METHOD NAME="Do" TYPE="uint32" CLASSORIGIN="T_Class"><QUALIFIER NAME="static"`+yes+`<QUALIFIER NAME="Description" TYPE="string"><VALUE>does</VALUE></QUALIFIER>`+
		`<PARAMETER NAME="A" TYPE="uint16"><QUALIFIER NAME="in"`+yes+`<QUALIFIER NAME="Required"`+yes+`</PARAMETER>`+
		`<PARAMETER.ARRAY NAME="B" TYPE="string"><QUALIFIER NAME="in"`+yes+`<QUALIFIER NAME="out"`+yes+`</PARAMETER.ARRAY>`+
		`<PARAMETER.REFERENCE NAME="C" REFERENCECLASS="T_Root"><QUALIFIER NAME="out"`+yes+`</PARAMETER.REFERENCE>`+
		`<PARAMETER.REFARRAY NAME="D" REFERENCECLASS="T_Root"><QUALIFIER NAME="in"`+yes+`</PARAMETER.REFARRAY>`+
		`<PARAMETER NAME="E" TYPE="string"><QUALIFIER NAME="EmbeddedInstance" TYPE="string"><VALUE>T_Super</VALUE></QUALIFIER><QUALIFIER NAME="in"`+yes+`</PARAMETER>`+
		`</METHOD></CLASS>`, classXML(described(), all))
}

func TestWriteClassOptions(t *testing.T) {
	bare := classXML(described(), ClassOptions{})
	for _, left := range []string{"QUALIFIER", "CLASSORIGIN", "SUPERCLASS", "DERIVATION", `NAME="ID"`} {
		require.NotContains(t, bare, left)
	}
	require.Contains(t, bare, `<PROPERTY NAME="Kind" TYPE="uint16"><VALUE>2</VALUE></PROPERTY>`)
	require.Contains(t, classXML(described(), ClassOptions{Inherited: true}), `<PROPERTY NAME="ID" TYPE="string" PROPAGATED="true"/>`)
	require.Contains(t, classXML(described(), ClassOptions{Hierarchy: true}), `DERIVATION="T_Super,T_Root"`)
}

// What is written and read back is written the same again.
func TestReadClass(t *testing.T) {
	all := ClassOptions{Qualifiers: true, ClassOrigin: true, Inherited: true, Hierarchy: true}
	text := classXML(described(), all)
	e, err := soap.Parse([]byte(text), soap.Limits{})
	require.NoError(t, err)
	c, err := ReadClass(e)
	require.NoError(t, err)
	require.Equal(t, text, classXML(c, all))
	require.True(t, c.IsA("T_Root"))
	require.True(t, c.Abstract)
	require.Len(t, c.Keys, 1)
	m := c.Method("do")
	require.True(t, m.Static)
	for name, inOut := range map[string][2]bool{"A": {true, false}, "B": {true, true}, "C": {false, true}, "D": {true, false}, "E": {true, false}} {
		p := m.Param(name)
		require.Equal(t, inOut, [2]bool{p.In, p.Out}, name)
	}
	require.Equal(t, "T_Super", m.Param("E").Embedded)
	require.Equal(t, "*", c.Property("Any").Embedded)
}

func TestReadClassRefuses(t *testing.T) {
	for _, text := range []string{
		`<CLASS/>`, `<X NAME="a"/>`, `<CLASS NAME="a"><PROPERTY NAME="p" TYPE="int"/></CLASS>`, `<CLASS NAME="a"><METHOD NAME="p"/></CLASS>`,
		`<CLASS NAME="a"><QUALIFIER NAME="q" TYPE="boolean"><VALUE>x</VALUE></QUALIFIER></CLASS>`,
		`<CLASS NAME="a"><PROPERTY NAME="p" TYPE="uint8"><VALUE>x</VALUE></PROPERTY></CLASS>`,
		`<CLASS NAME="a"><PROPERTY NAME="p" TYPE="uint8"><QUALIFIER NAME="q"/></PROPERTY></CLASS>`,
		`<CLASS NAME="a"><METHOD NAME="m" TYPE="uint8"><PARAMETER NAME="p" TYPE=""/></METHOD></CLASS>`,
		`<CLASS NAME="a"><METHOD NAME="m" TYPE="uint8"><PARAMETER NAME="p" TYPE="uint8"><QUALIFIER NAME="q" TYPE="uint8"><VALUE.ARRAY><VALUE>x</VALUE></VALUE.ARRAY></QUALIFIER></PARAMETER></METHOD></CLASS>`,
	} {
		e, err := soap.Parse([]byte(text), soap.Limits{})
		require.NoError(t, err)
		_, err = ReadClass(e)
		_, ok := errors.AsType[*wsman.Fault](err)
		require.True(t, ok, text)
	}
	_, err := ReadClass(nil)
	require.Error(t, err)
	e, err := soap.Parse([]byte(`<CLASS NAME="a" SUPERCLASS="b"><OTHER/><PROPERTY NAME="p" TYPE="STRING"/></CLASS>`), soap.Limits{})
	require.NoError(t, err)
	c, err := ReadClass(e)
	require.NoError(t, err)
	require.True(t, c.IsA("B"))
	require.Equal(t, strings.ToLower("P"), c.Property("P").Name)
}
