package provider_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
	"twinlun/cim/provider"
)

func TestEnumerate(t *testing.T) {
	for name, c := range map[string]struct {
		ns, class string
		shallow   bool
		want      []string
		status    cim.Status
	}{
		"class":             {ns: ns, class: "T_Box", want: []string{`T_Box.Name="b1"`, `T_Box.Name="b2"`}},
		"superclass":        {ns: ns, class: "t_thing", want: []string{`T_Box.Name="b1"`, `T_Box.Name="b2"`, `T_Ball.Name="o1"`}},
		"shallow":           {ns: ns, class: "T_Thing", shallow: true},
		"shallow, itself":   {ns: ns, class: "T_Ball", shallow: true, want: []string{`T_Ball.Name="o1"`}},
		"other namespace":   {ns: "ROOT/OTHER", class: "T_Box"},
		"not served":        {ns: ns, class: "T_Plan"},
		"unknown class":     {ns: ns, class: "T_None", status: cim.StatusInvalidClass},
		"unknown namespace": {ns: "root", class: "T_Box", status: cim.StatusInvalidNamespace},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			err := newWorld(t).Enumerate(context.Background(), c.ns, c.class, cim.EnumerateOptions{Shallow: c.shallow}, collect(&got))
			require.Equal(t, c.want, got)
			if c.status != 0 {
				require.Equal(t, c.status, cim.StatusOf(err))
				return
			}
			require.NoError(t, err)
		})
	}
}

func TestEnumerateStops(t *testing.T) {
	w := newWorld(t)
	full := errors.New("enough")
	n := 0
	stop := func(*cim.Instance) error { n++; return full }
	require.Equal(t, full, w.Enumerate(context.Background(), ns, "T_Thing", cim.EnumerateOptions{}, stop), "the reader's error as it is")
	require.Equal(t, 1, n)
	q := cim.AssociationQuery{Object: thing("T_Box", "b1")}
	require.Equal(t, full, w.Associated(context.Background(), ns, q, stop))
	require.Equal(t, 2, n)

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	require.ErrorIs(t, w.Enumerate(ctx, ns, "T_Thing", cim.EnumerateOptions{}, collect(new([]string))), context.Canceled)
}

// mute can do nothing.
type mute struct{}

func (mute) Class() string        { return "T_Box" }
func (mute) Namespaces() []string { return []string{ns} }

func TestProviderWithoutAbilities(t *testing.T) {
	b, err := provider.NewBroker(provider.Config{Schema: schema(t), Providers: []provider.Provider{mute{}}, Namespaces: []string{ns}})
	require.NoError(t, err)
	ctx := as(cim.RoleAdmin)
	require.Equal(t, cim.StatusNotSupported, cim.StatusOf(b.Enumerate(ctx, ns, "T_Box", cim.EnumerateOptions{}, collect(new([]string)))))
	_, err = b.Get(ctx, thing("T_Box", "b1"))
	require.Equal(t, cim.StatusNotSupported, cim.StatusOf(err))
	_, err = b.Invoke(ctx, &cim.Call{Path: &cim.Path{Namespace: ns, Class: "T_Box"}, Method: "Count"})
	require.Equal(t, cim.StatusMethodNotAvailable, cim.StatusOf(err))
}

func TestClasses(t *testing.T) {
	w := newWorld(t)
	names := func(name string, deep bool) []string {
		all, err := w.Classes(ns, name, deep)
		require.NoError(t, err)
		var list []string
		for _, c := range all {
			list = append(list, c.Name)
		}
		return list
	}
	require.Equal(t, []string{"T_Thing", "T_Room", "T_Lonely"}, names("T_Element", false))
	require.Equal(t, []string{"T_Thing", "T_Box", "T_Ball", "T_Room", "T_Lonely"}, names("t_element", true))
	require.Equal(t, []string{"T_Element", "T_Plan", "T_Tie", "T_Touches"}, names("", false))
	require.Len(t, names("", true), 10)
	require.Empty(t, names("T_Box", true))
	_, err := w.Classes("nowhere", "", true)
	require.Equal(t, cim.StatusInvalidNamespace, cim.StatusOf(err))
	_, err = w.Classes(ns, "T_None", true)
	require.Equal(t, cim.StatusInvalidClass, cim.StatusOf(err))
}
