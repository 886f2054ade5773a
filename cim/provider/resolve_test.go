package provider_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
	"twinlun/cim/provider"
)

func TestNewBrokerRefuses(t *testing.T) {
	s := schema(t)
	box := &fixed{class: "T_Box", namespaces: []string{ns}}
	for name, c := range map[string]struct {
		providers []provider.Provider
		want      cim.Status
	}{
		"unknown class":     {[]provider.Provider{&fixed{class: "T_None", namespaces: []string{ns}}}, cim.StatusInvalidClass},
		"abstract class":    {[]provider.Provider{&fixed{class: "T_Thing", namespaces: []string{ns}}}, cim.StatusInvalidClass},
		"class twice":       {[]provider.Provider{box, &fixed{class: "t_box", namespaces: []string{ns}}}, cim.StatusAlreadyExists},
		"unknown namespace": {[]provider.Provider{&fixed{class: "T_Box", namespaces: []string{"root/x"}}}, cim.StatusInvalidNamespace},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := provider.NewBroker(provider.Config{Schema: s, Providers: c.providers, Namespaces: []string{ns}})
			require.Error(t, err)
			require.Equal(t, c.want, cim.StatusOf(err))
		})
	}
}

func key(name string, v cim.Value) cim.Key { return cim.Key{Name: name, Value: v} }

func TestGet(t *testing.T) {
	hall := []cim.Key{key("Floor", uint64(1)), key("Name", "hall")}
	for name, c := range map[string]struct {
		ns, class string
		keys      []cim.Key
		want      string     // path of what is found
		status    cim.Status // or why not
	}{
		"exact":                        {ns, "T_Box", []cim.Key{key("Name", "b1")}, `T_Box.Name="b1"`, 0},
		"superclass":                   {ns, "T_Thing", []cim.Key{key("Name", "o1")}, `T_Ball.Name="o1"`, 0},
		"superclass without keys":      {ns, "T_Element", []cim.Key{key("Name", "b2")}, `T_Box.Name="b2"`, 0},
		"names in any case":            {`ROOT\TEST`, "t_BOX", []cim.Key{key("nAME", "b1")}, `T_Box.Name="b1"`, 0},
		"keys in any order, coerced":   {ns, "T_Room", []cim.Key{key("Name", "hall"), key("floor", 1)}, `T_Room.Floor=1,Name="hall"`, 0},
		"by enumeration":               {ns, "T_Lonely", []cim.Key{key("Name", "only")}, `T_Lonely.Name="only"`, 0},
		"sole instance":                {ns, "T_Ball", nil, `T_Ball.Name="o1"`, 0},
		"several instances":            {ns, "T_Box", nil, "", cim.StatusInvalidParameter},
		"several among subclasses":     {ns, "T_Thing", nil, "", cim.StatusInvalidParameter},
		"none to be the sole one":      {"root/other", "T_Ball", nil, "", cim.StatusNotFound},
		"not there":                    {ns, "T_Box", []cim.Key{key("Name", "b9")}, "", cim.StatusNotFound},
		"not there, by enumeration":    {ns, "T_Lonely", []cim.Key{key("Name", "x")}, "", cim.StatusNotFound},
		"in another namespace":         {"root/other", "T_Box", []cim.Key{key("Name", "b1")}, "", cim.StatusNotFound},
		"key missing":                  {ns, "T_Room", hall[:1], "", cim.StatusInvalidParameter},
		"key unknown":                  {ns, "T_Box", []cim.Key{key("Name", "b1"), key("Size", uint64(7))}, "", cim.StatusInvalidParameter},
		"key twice":                    {ns, "T_Box", []cim.Key{key("Name", "b1"), key("name", "b1")}, "", cim.StatusInvalidParameter},
		"key of the wrong type":        {ns, "T_Room", []cim.Key{key("Floor", "one"), hall[1]}, "", cim.StatusInvalidParameter},
		"key out of range":             {ns, "T_Room", []cim.Key{key("Floor", 70000), hall[1]}, "", cim.StatusInvalidParameter},
		"key NULL":                     {ns, "T_Box", []cim.Key{key("Name", nil)}, "", cim.StatusInvalidParameter},
		"key an array":                 {ns, "T_Box", []cim.Key{key("Name", []cim.Value{"b1"})}, "", cim.StatusInvalidParameter},
		"keys of a class without them": {ns, "T_Plan", []cim.Key{key("Name", "x")}, "", cim.StatusInvalidParameter},
		"unknown class":                {ns, "T_None", nil, "", cim.StatusInvalidClass},
		"unknown namespace":            {"root/none", "T_Box", nil, "", cim.StatusInvalidNamespace},
	} {
		t.Run(name, func(t *testing.T) {
			in, err := newWorld(t).Get(context.Background(), &cim.Path{Namespace: c.ns, Class: c.class, Keys: c.keys})
			if c.status != 0 {
				require.Error(t, err)
				require.Equal(t, c.status, cim.StatusOf(err), "%v", err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, ns+":"+c.want, in.Path.String())
		})
	}
	_, err := newWorld(t).Get(context.Background(), nil)
	require.Equal(t, cim.StatusInvalidParameter, cim.StatusOf(err))
}

// A reference among the keys may name a superclass, or lack the namespace's
// canonical form; the provider sees the instance's own path.
func TestGetResolvesReferenceKeys(t *testing.T) {
	w := newWorld(t)
	whole := &cim.Path{Namespace: `Root\Test`, Class: "T_Element", Keys: []cim.Key{key("name", "hall"), key("Floor", 1)}}
	in, err := w.Get(context.Background(), &cim.Path{Namespace: ns, Class: "T_Tie", Keys: []cim.Key{
		key("Part", thing("T_Thing", "b1")), key("Whole", whole),
	}})
	require.NoError(t, err)
	require.True(t, w.holds.list[0].Path.Equal(in.Path), in.Path)

	in, err = w.Get(context.Background(), w.holds.list[3].Path) // its part is gone
	require.NoError(t, err)
	require.True(t, w.holds.list[3].Path.Equal(in.Path))

	for status, ref := range map[cim.Status]*cim.Path{
		cim.StatusInvalidClass:     thing("T_None", "b1"),
		cim.StatusInvalidParameter: {Namespace: ns, Class: "T_Box"},
	} {
		_, err = w.Get(context.Background(), &cim.Path{Namespace: ns, Class: "T_Holds", Keys: []cim.Key{key("Part", ref), key("Whole", whole)}})
		require.Equal(t, status, cim.StatusOf(err))
	}
}

func TestGetAsksWithCanonicalPath(t *testing.T) {
	w := newWorld(t)
	_, err := w.Get(context.Background(), &cim.Path{Namespace: "ROOT/TEST", Class: "t_element", Keys: []cim.Key{key("NAME", "hall"), key("FLOOR", 1)}})
	require.NoError(t, err)
	require.Equal(t, `root/test:T_Room.Floor=1,Name="hall"`, w.rooms.asked[0].String())
	require.Empty(t, w.boxes.asked, "the keys are not those of a box")
}

func TestProviderFailures(t *testing.T) {
	secret := errors.New("open /etc/shadow: no")
	for name, c := range map[string]struct {
		err    error
		status cim.Status
	}{
		"unknown":   {secret, cim.StatusFailed},
		"typed":     {cim.Errorf(cim.StatusAccessDenied, "no"), cim.StatusAccessDenied},
		"not found": {cim.Errorf(cim.StatusNotFound, "no"), cim.StatusNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.boxes.err, w.lonely.err, w.touch.err = c.err, c.err, c.err
			b1 := thing("T_Box", "b1")
			_, got := w.Get(context.Background(), b1)
			enum := w.Enumerate(context.Background(), ns, "T_Lonely", cim.EnumerateOptions{}, collect(new([]string)))
			w.boxes.err = nil
			refs := w.Associated(context.Background(), ns, cim.AssociationQuery{Object: b1, References: true}, collect(new([]string)))
			w.boxes.fails = c.err
			_, call := w.Invoke(as(cim.RoleAdmin), &cim.Call{Path: b1, Method: "Paint"})
			for _, err := range []error{got, enum, refs, call} {
				require.Error(t, err)
				require.Equal(t, c.status, cim.StatusOf(err))
				require.NotContains(t, err.Error(), "shadow")
			}
			if c.status == cim.StatusFailed {
				require.ErrorIs(t, call, secret, "the log needs the cause")
			}
		})
	}
}
