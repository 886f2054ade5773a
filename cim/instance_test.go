package cim

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

func discClass() *Class {
	c := &Class{Name: "Disc", Properties: []*Property{
		{Name: "ID", Type: String, Key: true},
		{Name: "Slot", Type: Uint8, Key: true, Default: uint64(1)},
		{Name: "Labels", Type: String, Array: true},
		{Name: "Setting", Type: String, Embedded: "Setting"},
	}}
	c.Link()
	return c
}

func TestInstanceSet(t *testing.T) {
	in := NewInstance(discClass())
	require.Equal(t, uint64(1), in.Get("slot"), "default")
	require.NoError(t, in.Set("SLOT", 3))
	require.Equal(t, uint64(3), in.At(1))
	require.NoError(t, in.Set("Labels", "a"))
	require.Equal(t, []Value{"a"}, in.Get("Labels"))
	require.Nil(t, in.Get("nothing"))

	err := in.Set("Slot", 256)
	require.Equal(t, StatusTypeMismatch, StatusOf(err))
	require.Equal(t, uint64(3), in.Get("Slot"), "unchanged")
	require.Equal(t, StatusNoSuchProperty, StatusOf(in.Set("nothing", 1)))
	require.Equal(t, StatusTypeMismatch, StatusOf(in.Set("Setting", "text")))
}

func TestBuilder(t *testing.T) {
	in, err := Build(discClass()).Set("ID", "x").Set("Slot", 2).InstanceIn(`Root\CIMV2\`)
	require.NoError(t, err)
	require.Equal(t, `root/cimv2:Disc.ID="x",Slot=2`, in.Path.String())

	in, err = Build(discClass()).Set("ID", "x").Instance()
	require.NoError(t, err)
	require.Nil(t, in.Path)
}

func TestBuilderKeepsTheFirstError(t *testing.T) {
	b := Build(discClass()).Set("Slot", "x").Set("nothing", 1)
	in, err := b.Instance()
	require.Nil(t, in)
	require.Equal(t, StatusTypeMismatch, StatusOf(err))
	_, err = b.InstanceIn("root")
	require.Equal(t, StatusTypeMismatch, StatusOf(err))
}

func TestBuilderWithoutAClassOrAKey(t *testing.T) {
	_, err := Build(nil).Set("ID", "x").Instance()
	require.Equal(t, StatusFailed, StatusOf(err))
	require.EqualError(t, err, "internal error")
	_, err = Build(discClass()).InstanceIn("root")
	require.EqualError(t, err, "key ID of Disc is NULL")
}

func TestSchemaLookups(t *testing.T) {
	root := &Class{Name: "Root"}
	leaf := &Class{Name: "Leaf", Super: root, Methods: []*Method{{Name: "Do", Params: []*Parameter{{Name: "P"}}}}}
	root.Link()
	leaf.Link()
	s := NewSchema([]*Class{root, leaf, {Name: "ROOT"}})
	require.Equal(t, []*Class{root, leaf}, s.Classes())
	require.Same(t, leaf, s.Class("lEAF"))
	require.Nil(t, s.Class("x"))
	require.Equal(t, []*Class{leaf}, s.Subclasses("root"))
	require.True(t, leaf.IsA("ROOT"))
	require.False(t, root.IsA("Leaf"))
	require.NotNil(t, leaf.Method("DO").Param("p"))
	require.Nil(t, leaf.Method("DO").Param("q"))
	require.Nil(t, leaf.Method("x"))
}

func TestStatus(t *testing.T) {
	require.Equal(t, "CIM_ERR_FAILED", StatusFailed.String())
	require.Equal(t, "CIM_ERR_NOT_FOUND", StatusNotFound.String())
	require.Equal(t, "CIM_ERR_SERVER_IS_SHUTTING_DOWN", StatusServerIsShuttingDown.String())
	require.Equal(t, "CIM status 0", Status(0).String())
	require.Equal(t, "CIM status 4294967295", Status(1<<32-1).String())

	cause := errors.New("cause")
	require.Equal(t, StatusFailed, StatusOf(cause))
	require.ErrorIs(t, Internal(cause), cause)
	require.NotContains(t, Internal(cause).Error(), "cause")
}

func TestQualifiers(t *testing.T) {
	qs := Qualifiers{{Name: "Key", Value: true}, {Name: "Description", Value: "text"}}
	require.True(t, qs.Flag("KEY"))
	require.False(t, qs.Flag("Description"))
	require.Equal(t, "text", qs.Text("description"))
	require.Empty(t, qs.Text("Key"))
	_, ok := qs.Get("nothing")
	require.False(t, ok)
}
