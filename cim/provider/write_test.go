package provider_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
	"twinlun/cim/mof"
	"twinlun/cim/provider"
	"twinlun/schemas"
)

// shelf keeps jars: it modifies, creates and deletes them.
type shelf struct {
	*fixed
	mu      sync.Mutex
	changes [][]cim.PropertyValue
	given   [][]cim.PropertyValue
	role    cim.Role
	fails   error
}

func (s *shelf) WriteRole() cim.Role { return s.role }

func (s *shelf) Get(_ context.Context, p *cim.Path) (*cim.Instance, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, in := range s.list {
		if in.Path.Equal(p) {
			return in, nil
		}
	}
	return nil, cim.Errorf(cim.StatusNotFound, "no %s", p)
}

func (s *shelf) Modify(_ context.Context, in *cim.Instance, changes []cim.PropertyValue) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fails != nil {
		return s.fails
	}
	s.changes = append(s.changes, changes)
	i := slices.IndexFunc(s.list, func(o *cim.Instance) bool { return o.Path.Equal(in.Path) })
	next := cim.NewInstance(in.Class)
	next.Path = in.Path
	for _, p := range in.Class.Properties {
		_ = next.Set(p.Name, s.list[i].At(p.Index))
	}
	for _, c := range changes {
		_ = next.Set(c.Name, c.Value)
	}
	s.list[i] = next
	return nil
}

func (s *shelf) Create(_ context.Context, ns string, given []cim.PropertyValue) (*cim.Path, error) {
	s.given = append(s.given, given)
	return &cim.Path{Namespace: ns, Class: s.class, Keys: []cim.Key{{Name: "Code", Value: "new"}}}, s.fails
}

func (s *shelf) Delete(_ context.Context, p *cim.Path) error {
	if s.fails != nil {
		return s.fails
	}
	s.list = slices.DeleteFunc(s.list, func(in *cim.Instance) bool { return in.Path.Equal(p) })
	return nil
}

// stock is a Broker on jars that can be written and a tin that cannot.
type stock struct {
	*provider.Broker
	schema             *cim.Schema
	jars, cups, stands *shelf
	tins               *fixed
}

func stockSchema(t *testing.T) *cim.Schema {
	text, err := os.ReadFile("testdata/stock.mof")
	require.NoError(t, err)
	qualifiers, err := fs.ReadFile(schemas.Files(), "qualifiers.mof")
	require.NoError(t, err)
	s, err := mof.Load(fstest.MapFS{"qualifiers.mof": {Data: qualifiers}, "stock.mof": {Data: text}})
	require.NoError(t, err)
	return s
}

func newStock(t *testing.T) *stock {
	s := &stock{schema: stockSchema(t)}
	item := func(class, code string) *cim.Instance {
		in, err := cim.Build(s.schema.Class(class)).Set("Code", code).InstanceIn(ns)
		require.NoError(t, err)
		return in
	}
	a, b := item("S_SmallJar", "a"), item("S_SmallJar", "b")
	for name, v := range map[string]cim.Value{"Label": "plum", "Content": 99, "Made": 7, "Flies": 3, "Marks": []string{}} {
		require.NoError(t, a.Set(name, v))
	}
	s.jars = &shelf{fixed: &fixed{class: "S_SmallJar", namespaces: []string{ns}, list: []*cim.Instance{a, b}}, role: cim.RoleAdmin}
	s.cups = &shelf{fixed: &fixed{class: "S_TinyJar", namespaces: []string{ns}}, role: cim.RoleOperator}
	tie, err := cim.Build(s.schema.Class("S_Stands")).Set("Left", a.Path).Set("Right", b.Path).InstanceIn(ns)
	require.NoError(t, err)
	s.stands = &shelf{fixed: &fixed{class: "S_Stands", namespaces: []string{ns}, list: []*cim.Instance{tie}}, role: cim.RoleOperator}
	s.tins = &fixed{class: "S_Tin", namespaces: []string{ns}, list: []*cim.Instance{item("S_Tin", "t")}}
	broker, err := provider.NewBroker(provider.Config{
		Schema: s.schema, Namespaces: []string{ns}, Providers: []provider.Provider{s.jars, s.cups, s.stands, s.tins},
	})
	require.NoError(t, err)
	s.Broker = broker
	return s
}

func coded(class, code string) *cim.Path {
	return &cim.Path{Namespace: ns, Class: class, Keys: []cim.Key{{Name: "Code", Value: code}}}
}

func pv(kv ...any) []cim.PropertyValue {
	var list []cim.PropertyValue
	for i := 0; i < len(kv); i += 2 {
		list = append(list, cim.PropertyValue{Name: kv[i].(string), Value: kv[i+1]})
	}
	return list
}

// late is a shelf whose client has no more time when the change is made.
type late struct {
	*shelf
	up context.CancelFunc
}

func (l *late) Modify(ctx context.Context, in *cim.Instance, changes []cim.PropertyValue) error {
	defer l.up()
	return l.shelf.Modify(ctx, in, changes)
}

func (l *late) Get(ctx context.Context, p *cim.Path) (*cim.Instance, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return l.shelf.Get(ctx, p)
}

// What was changed is not told as a failure because the time was up afterwards.
func TestModifyInTheLastMoment(t *testing.T) {
	s := newStock(t)
	ctx, up := context.WithCancel(as(cim.RoleAdmin))
	b, err := provider.NewBroker(provider.Config{Schema: s.schema, Namespaces: []string{ns}, Time: time.Now, Providers: []provider.Provider{&late{s.jars, up}}})
	require.NoError(t, err)
	in, err := b.Modify(ctx, s.jars.list[0].Path, []cim.PropertyValue{{Name: "Label", Value: "pear"}})
	require.NoError(t, err)
	require.Equal(t, "pear", in.Get("Label"))
	require.ErrorIs(t, ctx.Err(), context.Canceled)
}

func TestModify(t *testing.T) {
	s := newStock(t)
	note := cim.NewInstance(s.schema.Class("S_Note"))
	got, err := s.Modify(as(cim.RoleAdmin), coded("S_Item", "a"), pv(
		"label", "pear", "CONTENT", 0x8001, "Colours", []string{"red", "green"}, "Note", note,
		"Tilt", -3, "Grade", 300, "Code", "a", "Made", 7, "Shelf", "A"))
	require.NoError(t, err)
	require.Equal(t, []string{"Label", "Content", "Colours", "Note", "Tilt", "Grade"}, names(s.jars.changes[0]), "what differs, as it is declared")
	require.Equal(t, uint64(0x8001), s.jars.changes[0][1].Value, "coerced")
	require.Equal(t, "pear", got.Get("Label"), "as it is afterwards")
}

func names(list []cim.PropertyValue) []string {
	var out []string
	for _, p := range list {
		out = append(out, p.Name)
	}
	return out
}

// The references of an association may come back with the names of superclasses.
func TestModifyAssociation(t *testing.T) {
	s := newStock(t)
	p := &cim.Path{Namespace: ns, Class: "S_Stands", Keys: []cim.Key{{Name: "Left", Value: coded("S_Item", "a")}, {Name: "Right", Value: coded("S_Jar", "b")}}}
	got, err := s.Modify(as(cim.RoleOperator), p, pv("Right", coded("S_Jar", "b"), "Left", coded("S_SmallJar", "a"), "Distance", 3))
	require.NoError(t, err)
	require.Equal(t, []string{"Distance"}, names(s.stands.changes[0]))
	require.Equal(t, uint64(3), got.Get("Distance"))
	for _, ref := range []*cim.Path{coded("S_Jar", "a"), coded("S_Jar", "gone")} {
		_, err = s.Modify(as(cim.RoleOperator), p, pv("Right", ref))
		requireStatus(t, cim.StatusInvalidParameter, err)
		require.ErrorContains(t, err, "Right is a key")
	}
	_, err = s.Modify(as(cim.RoleOperator), p, pv("Right", coded("S_None", "b")))
	requireStatus(t, cim.StatusInvalidClass, err)
	require.Len(t, s.stands.changes, 1)
}

// What a client has read it can send back, whatever of it can be written.
func TestModifyWithoutChange(t *testing.T) {
	s := newStock(t)
	in, err := s.Get(context.Background(), coded("S_SmallJar", "a"))
	require.NoError(t, err)
	var all []cim.PropertyValue
	for _, p := range in.Class.Properties {
		all = append(all, cim.PropertyValue{Name: p.Name, Value: in.At(p.Index)})
	}
	all = append(slices.DeleteFunc(all, func(v cim.PropertyValue) bool { return v.Name == "Marks" || v.Name == "Flies" }),
		pv("Marks", nil, "Flies", 4000)...)
	got, err := s.Modify(as(cim.RoleAdmin), in.Path, all)
	require.NoError(t, err)
	require.Equal(t, in, got)
	require.Empty(t, s.jars.changes)
	_, err = s.Modify(as(cim.RoleOperator), coded("S_Tin", "t"), pv("Code", "t"))
	require.NoError(t, err, "nothing to do is done also by those that cannot modify")
}

func TestModifyRefused(t *testing.T) {
	other := cim.NewInstance(stockSchema(t).Class("S_OtherNote"))
	for name, c := range map[string]struct {
		path   *cim.Path
		give   []cim.PropertyValue
		role   cim.Role
		status cim.Status
		why    string
	}{
		"unknown property":      {give: pv("Label", "x", "Lid", 1), status: cim.StatusNoSuchProperty, why: `"Lid"`},
		"wrong type":            {give: pv("Label", 1), status: cim.StatusTypeMismatch, why: "Label"},
		"array for a scalar":    {give: pv("Label", []string{"x"}), status: cim.StatusTypeMismatch, why: "Label"},
		"too large":             {give: pv("Content", 0x10000), status: cim.StatusTypeMismatch, why: "Content"},
		"twice":                 {give: pv("Label", "x", "LABEL", "x"), status: cim.StatusInvalidParameter, why: "Label of S_SmallJar is given twice"},
		"not in the map":        {give: pv("Content", 3), status: cim.StatusInvalidParameter, why: "Content"},
		"reserved range":        {give: pv("Content", 8), status: cim.StatusInvalidParameter, why: "8"},
		"left over":             {give: pv("Content", 100), status: cim.StatusInvalidParameter, why: "100"},
		"left over, no names":   {give: pv("Grade", -2), status: cim.StatusInvalidParameter, why: "-2"},
		"word not in the map":   {give: pv("Colours", []string{"red", "blue"}), status: cim.StatusInvalidParameter, why: `"blue"`},
		"too long":              {give: pv("Label", "ninechars"), status: cim.StatusInvalidParameter, why: "8 characters"},
		"NULL where needed":     {give: pv("Shelf", nil), status: cim.StatusInvalidParameter, why: "Shelf"},
		"other embedded":        {give: pv("Note", other), status: cim.StatusInvalidParameter, why: "S_OtherNote is not a S_Note"},
		"key":                   {give: pv("Label", "x", "Code", "c"), status: cim.StatusInvalidParameter, why: "Code is a key"},
		"read only":             {give: pv("Label", "x", "Made", 8), status: cim.StatusInvalidParameter, why: "Made of S_SmallJar cannot be modified"},
		"operator":              {give: pv("Label", "x"), role: cim.RoleOperator, status: cim.StatusAccessDenied, why: "admin"},
		"monitor, no change":    {give: pv("Label", "plum"), role: cim.RoleMonitor, status: cim.StatusAccessDenied, why: "admin"},
		"not there":             {path: coded("S_SmallJar", "c"), status: cim.StatusNotFound, why: "c"},
		"no such class":         {path: coded("S_None", "c"), status: cim.StatusInvalidClass, why: "S_None"},
		"cannot modify":         {path: coded("S_Tin", "t"), give: pv("Label", "x"), status: cim.StatusNotSupported, why: "instances of S_Tin cannot be modified"},
		"monitor and a tin":     {path: coded("S_Tin", "t"), give: pv("Label", "x"), role: cim.RoleMonitor, status: cim.StatusAccessDenied, why: "operator"},
		"wrong value for a tin": {path: coded("S_Tin", "t"), give: pv("Label", 1), status: cim.StatusTypeMismatch, why: "Label"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStock(t)
			if c.path == nil {
				c.path = coded("S_SmallJar", "a")
			}
			if c.role == 0 {
				c.role = cim.RoleAdmin
			}
			_, err := s.Modify(as(c.role), c.path, c.give)
			requireStatus(t, c.status, err)
			require.ErrorContains(t, err, c.why)
			require.Empty(t, s.jars.changes, "nothing was changed")
		})
	}
	s := newStock(t)
	_, err := s.Modify(context.Background(), coded("S_SmallJar", "a"), pv("Label", "x"))
	requireStatus(t, cim.StatusAccessDenied, err)
	_, err = s.Modify(as(cim.RoleAdmin), nil, nil)
	requireStatus(t, cim.StatusInvalidParameter, err)
}

func requireStatus(t *testing.T, want cim.Status, err error) {
	t.Helper()
	var e *cim.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, want, e.Status, "%v", err)
}

// A long text is not sent back whole.
func TestModifyClipsWhatItNames(t *testing.T) {
	s := newStock(t)
	_, err := s.Modify(as(cim.RoleAdmin), coded("S_SmallJar", "a"), pv("Colours", []string{strings.Repeat("é", 100_000)}))
	requireStatus(t, cim.StatusInvalidParameter, err)
	require.Less(t, len(err.Error()), 400)
}

func TestWriterFailures(t *testing.T) {
	secret := errors.New("open /var/lib/secret")
	for _, c := range []struct {
		fails  error
		status cim.Status
		text   string
	}{
		{secret, cim.StatusFailed, "internal error"},
		{cim.Errorf(cim.StatusAlreadyExists, "taken"), cim.StatusAlreadyExists, "taken"},
	} {
		s := newStock(t)
		s.jars.fails = c.fails
		_, modified := s.Modify(as(cim.RoleAdmin), coded("S_SmallJar", "a"), pv("Label", "x"))
		_, created := s.Create(as(cim.RoleAdmin), ns, "S_SmallJar", nil)
		for _, err := range []error{modified, created, s.Delete(as(cim.RoleAdmin), coded("S_SmallJar", "a"))} {
			requireStatus(t, c.status, err)
			require.Equal(t, c.text, err.Error())
		}
	}
}

func TestCreate(t *testing.T) {
	s := newStock(t)
	p, err := s.Create(as(cim.RoleAdmin), "ROOT/Test", "s_smalljar", pv("code", "n", "made", 3, "Label", nil))
	require.NoError(t, err)
	_, err = s.Create(as(cim.RoleAdmin), ns, "S_SmallJar", pv("Code", nil, "Label", "x"))
	require.NoError(t, err)
	require.Equal(t, coded("S_SmallJar", "new"), p)
	require.Equal(t, pv("Code", "n", "Made", uint64(3), "Label", nil), s.jars.given[0], "read-only ones are for the class to judge")
	require.Equal(t, pv("Label", "x"), s.jars.given[1], "a key that is NULL is not given")
	for name, c := range map[string]struct {
		ns, class string
		role      cim.Role
		give      []cim.PropertyValue
		status    cim.Status
		why       string
	}{
		"no namespace":     {ns: "root", class: "S_SmallJar", status: cim.StatusInvalidNamespace, why: "root"},
		"no class":         {class: "S_None", status: cim.StatusInvalidClass, why: "S_None"},
		"abstract":         {class: "S_Item", status: cim.StatusNotSupported, why: "abstract"},
		"several":          {class: "S_Jar", status: cim.StatusNotSupported, why: "S_SmallJar or S_TinyJar"},
		"cannot create":    {class: "S_Tin", status: cim.StatusNotSupported, why: "instances of S_Tin cannot be created"},
		"not served":       {class: "S_Note", status: cim.StatusNotSupported, why: "instances of S_Note cannot be created"},
		"operator":         {class: "S_SmallJar", role: cim.RoleOperator, status: cim.StatusAccessDenied, why: "admin"},
		"unknown property": {class: "S_SmallJar", give: pv("Lid", 1), status: cim.StatusNoSuchProperty, why: "Lid"},
		"twice":            {class: "S_SmallJar", give: pv("Label", "x", "label", "y"), status: cim.StatusInvalidParameter, why: "twice"},
		"wrong type":       {class: "S_SmallJar", give: pv("Made", "x"), status: cim.StatusTypeMismatch, why: "Made"},
		"not in the map":   {class: "S_SmallJar", give: pv("Content", 3), status: cim.StatusInvalidParameter, why: "Content"},
		"NULL":             {class: "S_SmallJar", give: pv("Shelf", nil), status: cim.StatusInvalidParameter, why: "Shelf"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStock(t)
			if c.ns == "" {
				c.ns = ns
			}
			if c.role == 0 {
				c.role = cim.RoleAdmin
			}
			_, err := s.Create(as(c.role), c.ns, c.class, c.give)
			requireStatus(t, c.status, err)
			require.ErrorContains(t, err, c.why)
			require.Empty(t, s.jars.given)
			require.Empty(t, s.cups.given)
		})
	}
}

// A superclass is enough where it can mean one class only.
func TestCreateBySuperclass(t *testing.T) {
	s := newStock(t)
	b, err := provider.NewBroker(provider.Config{Schema: s.schema, Namespaces: []string{ns}, Providers: []provider.Provider{s.cups, s.tins}})
	require.NoError(t, err)
	_, err = b.Create(as(cim.RoleOperator), ns, "S_Jar", pv("Label", "x"))
	require.NoError(t, err)
	require.Len(t, s.cups.given, 1)
}

func TestDelete(t *testing.T) {
	s := newStock(t)
	admin := as(cim.RoleAdmin)
	requireStatus(t, cim.StatusAccessDenied, s.Delete(as(cim.RoleOperator), coded("S_Item", "a")))
	requireStatus(t, cim.StatusInvalidParameter, s.Delete(admin, &cim.Path{Namespace: ns, Class: "S_Tin"}))
	requireStatus(t, cim.StatusInvalidParameter, s.Delete(admin, nil))
	requireStatus(t, cim.StatusNotFound, s.Delete(admin, coded("S_Item", "c")))
	requireStatus(t, cim.StatusNotSupported, s.Delete(admin, coded("S_Tin", "t")))
	require.Len(t, s.jars.list, 2)
	require.NoError(t, s.Delete(admin, coded("S_Item", "a")))
	require.Len(t, s.jars.list, 1)
	requireStatus(t, cim.StatusNotFound, s.Delete(admin, coded("S_Item", "a")))
}

// Two that modify one instance at once both have their way where they do not want
// the same.
func TestModifyAtOnce(t *testing.T) {
	s := newStock(t)
	var wg sync.WaitGroup
	for _, want := range [][]cim.PropertyValue{pv("Label", "x"), pv("Content", 2), pv("Tilt", 5)} {
		wg.Go(func() {
			_, err := s.Modify(as(cim.RoleAdmin), coded("S_SmallJar", "a"), want)
			require.NoError(t, err)
		})
	}
	wg.Wait()
	in, err := s.Get(context.Background(), coded("S_SmallJar", "a"))
	require.NoError(t, err)
	require.Equal(t, []cim.Value{"x", uint64(2), int64(5)}, []cim.Value{in.Get("Label"), in.Get("Content"), in.Get("Tilt")})
}
