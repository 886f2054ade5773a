package provider_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
)

const hall = `T_Room.Floor=1,Name="hall"`

func hallPath() *cim.Path {
	return &cim.Path{Namespace: ns, Class: "T_Room", Keys: []cim.Key{key("Floor", uint64(1)), key("Name", "hall")}}
}

func TestAssociators(t *testing.T) {
	b1, b2, o1 := `T_Box.Name="b1"`, `T_Box.Name="b2"`, `T_Ball.Name="o1"`
	for name, c := range map[string]struct {
		object *cim.Path
		q      cim.AssociationQuery
		want   []string
	}{
		"all, without what is gone":      {hallPath(), cim.AssociationQuery{}, []string{b1, b2, o1}},
		"from the other end, each once":  {thing("T_Box", "b1"), cim.AssociationQuery{}, []string{hall, b2}},
		"object by its superclass":       {thing("T_Thing", "b1"), cim.AssociationQuery{}, []string{hall, b2}},
		"sole object without keys":       {&cim.Path{Namespace: ns, Class: "T_Room"}, cim.AssociationQuery{}, []string{b1, b2, o1}},
		"association class":              {thing("T_Box", "b1"), cim.AssociationQuery{AssociationClass: "t_holds"}, []string{hall}},
		"association's superclass":       {thing("T_Box", "b1"), cim.AssociationQuery{AssociationClass: "T_Tie"}, []string{hall}},
		"result class":                   {thing("T_Box", "b1"), cim.AssociationQuery{ResultClass: "T_Room"}, []string{hall}},
		"result's superclass":            {hallPath(), cim.AssociationQuery{ResultClass: "T_Thing"}, []string{b1, b2, o1}},
		"result class that does not fit": {hallPath(), cim.AssociationQuery{ResultClass: "T_Ball"}, []string{o1}},
		"role":                           {hallPath(), cim.AssociationQuery{Role: "whole"}, []string{b1, b2, o1}},
		"the other role":                 {hallPath(), cim.AssociationQuery{Role: "Part"}, nil},
		"result role":                    {hallPath(), cim.AssociationQuery{ResultRole: "PART"}, []string{b1, b2, o1}},
		"the other result role":          {hallPath(), cim.AssociationQuery{ResultRole: "Whole"}, nil},
		"role of two of a kind":          {thing("T_Box", "b1"), cim.AssociationQuery{AssociationClass: "T_Touches", Role: "One", ResultRole: "Other"}, []string{b2}},
		"result role that is the role":   {thing("T_Box", "b1"), cim.AssociationQuery{AssociationClass: "T_Touches", Role: "One", ResultRole: "One"}, nil},
		"nothing refers to it":           {thing("T_Lonely", "only"), cim.AssociationQuery{}, nil},
		"all filters":                    {hallPath(), cim.AssociationQuery{AssociationClass: "T_Holds", ResultClass: "T_Box", Role: "Whole", ResultRole: "Part"}, []string{b1, b2}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			c.q.Object = c.object
			require.NoError(t, newWorld(t).Associated(context.Background(), ns, c.q, collect(&got)))
			require.Equal(t, c.want, got)
		})
	}
}

func TestReferences(t *testing.T) {
	w := newWorld(t)
	ref := func(i *cim.Instance) string {
		var s []string
		require.NoError(t, collect(&s)(i))
		return s[0]
	}
	holds, touches := w.holds.list, w.touch.list
	for name, c := range map[string]struct {
		object *cim.Path
		q      cim.AssociationQuery
		want   []string
	}{
		"all, also to what is gone": {hallPath(), cim.AssociationQuery{}, []string{ref(holds[0]), ref(holds[1]), ref(holds[2]), ref(holds[3])}},
		"of several classes":        {thing("T_Box", "b1"), cim.AssociationQuery{}, []string{ref(holds[0]), ref(touches[0]), ref(touches[1])}},
		"role":                      {thing("T_Box", "b1"), cim.AssociationQuery{Role: "other"}, []string{ref(touches[1])}},
		"result class":              {thing("T_Box", "b1"), cim.AssociationQuery{ResultClass: "T_Tie"}, []string{ref(holds[0])}},
		"no such result":            {hallPath(), cim.AssociationQuery{ResultClass: "T_Touches"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			c.q.Object, c.q.References = c.object, true
			require.NoError(t, newWorld(t).Associated(context.Background(), ns, c.q, collect(&got)))
			require.Equal(t, c.want, got)
		})
	}
}

func TestAssociatedRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		q    cim.AssociationQuery
		want cim.Status
	}{
		"object that is not there":  {cim.AssociationQuery{Object: thing("T_Box", "x")}, cim.StatusNotFound},
		"no object":                 {cim.AssociationQuery{}, cim.StatusInvalidParameter},
		"several objects":           {cim.AssociationQuery{Object: &cim.Path{Namespace: ns, Class: "T_Box"}}, cim.StatusInvalidParameter},
		"unknown association class": {cim.AssociationQuery{Object: hallPath(), AssociationClass: "T_None"}, cim.StatusInvalidClass},
		"unknown result class":      {cim.AssociationQuery{Object: hallPath(), ResultClass: "T_None"}, cim.StatusInvalidClass},
	} {
		t.Run(name, func(t *testing.T) {
			err := newWorld(t).Associated(context.Background(), ns, c.q, collect(new([]string)))
			require.Error(t, err)
			require.Equal(t, c.want, cim.StatusOf(err))
		})
	}
	q := cim.AssociationQuery{Object: hallPath(), ResultClass: "T_Box"}
	require.Equal(t, cim.StatusInvalidNamespace, cim.StatusOf(newWorld(t).Associated(context.Background(), "x", q, collect(new([]string)))))
}

// An association that can look up is not enumerated, and asked only if it can
// concern the object.
func TestAssociatorIsAsked(t *testing.T) {
	w := newWorld(t)
	q := cim.AssociationQuery{Object: &cim.Path{Namespace: "ROOT/TEST", Class: "T_Element", Keys: []cim.Key{key("Name", "b1")}}}
	require.NoError(t, w.Associated(context.Background(), ns, q, collect(new([]string))))
	require.Len(t, w.touch.objects, 1)
	require.Equal(t, `root/test:T_Box.Name="b1"`, w.touch.objects[0].String())

	q.Object = hallPath()
	require.NoError(t, w.Associated(context.Background(), ns, q, collect(new([]string))))
	require.Len(t, w.touch.objects, 1, "a room touches nothing")
}
