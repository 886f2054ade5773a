package provider_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
	"twinlun/cim/provider"
)

// cabinet serves instances that it counts, finds by path, and by some of their keys.
type cabinet struct {
	*getter
	scans, finds int
	cannot       bool // find by keys
	partial      func(in *cim.Instance, keys []cim.Key) bool
}

func (s *cabinet) Enumerate(ctx context.Context, ns string, yield cim.Yield) error {
	s.scans++
	return s.getter.Enumerate(ctx, ns, yield)
}

func (s *cabinet) Count(context.Context, string) (int, error) { return len(s.list), s.err }

func (s *cabinet) Find(_ context.Context, _ string, keys []cim.Key, yield cim.Yield) (bool, error) {
	if s.cannot {
		return false, nil
	}
	s.finds++
	for _, in := range s.list {
		if !s.partial(in, keys) {
			continue
		}
		if err := yield(in); err != nil {
			return true, err
		}
	}
	return true, s.err
}

// hasKeys says whether an instance has just these keys.
func hasKeys(in *cim.Instance, keys []cim.Key) bool {
	for _, k := range keys {
		if !cim.Equal(in.Get(k.Name), k.Value) {
			return false
		}
	}
	return true
}

// library is a Broker on cabinets: rooms with two keys, boxes and balls with one, and
// what holds them.
type library struct {
	*world
	rooms, boxes, balls, holds *cabinet
}

func newCabinet(class string, list ...*cim.Instance) *cabinet {
	return &cabinet{getter: &getter{fixed: &fixed{class: class, namespaces: []string{ns}, list: list}}, partial: hasKeys}
}

func newLibrary(t testing.TB, more ...provider.Provider) *library {
	w := newWorld(t)
	l := &library{world: w, rooms: newCabinet("T_Room"), balls: newCabinet("T_Ball", w.balls.list...)}
	for _, at := range []string{"1hall", "1attic", "2hall", "3Hall", "3HALL"} {
		l.rooms.list = append(l.rooms.list, w.instance(t, "T_Room", key("Floor", int(at[0]-'0')), key("Name", at[1:])))
	}
	l.boxes = newCabinet("T_Box", w.boxes.list...)
	l.holds = newCabinet("T_Holds", w.holds.list...)
	b, err := provider.NewBroker(provider.Config{
		Schema: w.schema, Namespaces: []string{ns, "root/other"}, Time: time.Now,
		Providers: append([]provider.Provider{l.boxes, l.balls, l.rooms, l.holds}, more...),
	})
	require.NoError(t, err)
	l.Broker = b
	return l
}

// work is how often instances were enumerated, looked up by all keys and by some.
func (l *library) work() string {
	out := [3]int{}
	for _, s := range []*cabinet{l.rooms, l.boxes, l.balls, l.holds} {
		out[0], out[1], out[2] = out[0]+s.scans, out[1]+len(s.asked), out[2]+s.finds
	}
	return fmt.Sprintf("scan %d get %d find %d", out[0], out[1], out[2])
}

func (l *library) run(t testing.TB, q cim.Query) []string {
	var got []string
	require.NoError(t, l.Query(context.Background(), ns, q, collect(&got)), q.Text)
	return got
}

func TestQueryLooksUpKeys(t *testing.T) {
	const wql, cql = cim.LanguageWQL, "cim:cql"
	hall1, hall2, attic := `T_Room.Floor=1,Name="hall"`, `T_Room.Floor=2,Name="hall"`, `T_Room.Floor=1,Name="attic"`
	for name, c := range map[string]struct {
		language, text string
		want           []string
		work           string
	}{
		"all keys":                  {cql, "SELECT * FROM T_Room WHERE Floor = 1 AND Name = 'hall'", []string{hall1}, "scan 0 get 1 find 0"},
		"all keys in WQL":           {wql, "SELECT * FROM T_Room WHERE Floor = 1 AND Name = 'hall'", []string{hall1}, "scan 0 get 1 find 0"},
		"and more":                  {wql, "SELECT * FROM T_Room WHERE Name = 'hall' AND Floor = 1 AND Caption = 'x'", nil, "scan 0 get 1 find 0"},
		"several, each once":        {cql, "SELECT * FROM T_Room WHERE Name = 'hall' AND (Floor = 2 OR Floor = 1 OR Floor = 2)", []string{hall2, hall1}, "scan 0 get 3 find 0"},
		"none":                      {cql, "SELECT * FROM T_Room WHERE Floor = 9 AND Name = 'hall'", nil, "scan 0 get 1 find 0"},
		"another case":              {wql, "SELECT * FROM T_Room WHERE Floor = 1 AND Name = 'ATTIC'", []string{attic}, "scan 1 get 1 find 0"},
		"another case, of several":  {wql, "SELECT * FROM T_Room WHERE Floor = 3 AND Name = 'hall'", []string{`T_Room.Floor=3,Name="Hall"`, `T_Room.Floor=3,Name="HALL"`}, "scan 1 get 1 find 0"},
		"another case in CQL":       {cql, "SELECT * FROM T_Room WHERE Floor = 1 AND Name = 'ATTIC'", nil, "scan 0 get 1 find 0"},
		"case after a hit":          {wql, "SELECT * FROM T_Room WHERE Floor = 1 AND (Name = 'hall' OR Name = 'ATTIC')", []string{hall1, attic}, "scan 1 get 2 find 0"},
		"some keys":                 {cql, "SELECT * FROM T_Room WHERE Floor = 1", []string{hall1, attic}, "scan 0 get 0 find 1"},
		"some keys, not there":      {wql, "SELECT * FROM T_Room WHERE Floor = 7", nil, "scan 0 get 0 find 1"},
		"some keys in another case": {wql, "SELECT * FROM T_Room WHERE Name = 'Attic'", []string{attic}, "scan 1 get 0 find 1"},
		"some or all":               {cql, "SELECT * FROM T_Room WHERE Floor = 1 OR Floor = 2 AND Name = 'hall'", []string{hall1, attic, hall2}, "scan 0 get 1 find 1"},
		"no keys":                   {cql, "SELECT * FROM T_Room WHERE Floor < 3 AND Name LIKE 'h.*'", []string{hall1, hall2}, "scan 1 get 0 find 0"},
		"all":                       {wql, "SELECT * FROM T_Ball", []string{`T_Ball.Name="o1"`}, "scan 1 get 0 find 0"},
		"superclass":                {cql, "SELECT * FROM T_Thing WHERE Name = 'o1'", []string{`T_Ball.Name="o1"`}, "scan 0 get 2 find 0"},
		"superclass in WQL":         {wql, "SELECT * FROM T_Thing WHERE Name = 'o1'", []string{`T_Ball.Name="o1"`}, "scan 1 get 2 find 0"},
		"reference":                 {wql, `SELECT * FROM T_Holds WHERE Whole = 'T_Room.Floor=1,Name="hall"' AND Part = 'T_Thing.Name="b1"'`, []string{`T_Holds.Whole="root/test:T_Room.Floor=1,Name=\"hall\"",Part="root/test:T_Box.Name=\"b1\""`}, "scan 0 get 3 find 0"},
		"reference to nothing":      {cql, `SELECT * FROM T_Holds WHERE Part = 'T_Box="gone"'`, []string{`T_Holds.Whole="root/test:T_Room.Floor=1,Name=\"hall\"",Part="root/test:T_Box.Name=\"gone\""`}, "scan 0 get 1 find 1"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLibrary(t)
			require.Equal(t, c.want, l.run(t, cim.Query{Language: c.language, Text: c.text}))
			require.Equal(t, c.work, l.work())
		})
	}
}

// Where a provider cannot look up, or there is too much to look up, all is gone
// through, once.
func TestQueryScansOnce(t *testing.T) {
	many := make([]string, 100)
	for i := range many {
		many[i] = fmt.Sprintf("Name = 'b%d'", i)
	}
	l := newLibrary(t)
	require.Len(t, l.run(t, cim.Query{Language: "CQL", Text: "SELECT * FROM T_Box WHERE " + strings.Join(many, " OR ")}), 2)
	require.Equal(t, "scan 1 get 0 find 0", l.work())

	l = newLibrary(t)
	l.rooms.cannot = true
	require.Len(t, l.run(t, cim.Query{Language: "CQL", Text: "SELECT * FROM T_Room WHERE Floor = 1 OR Floor = 2"}), 3)
	require.Equal(t, "scan 1 get 0 find 0", l.work())

	w := newWorld(t) // whose T_Lonely can be enumerated only
	var got []string
	require.NoError(t, w.Query(context.Background(), ns, cim.Query{Language: "CQL", Text: "SELECT * FROM T_Lonely WHERE Name = 'only'"}, collect(&got)))
	require.Len(t, got, 1)
}

// A Finder may yield more than it was asked for; the query decides.
func TestQueryComparesWhatIsFound(t *testing.T) {
	l := newLibrary(t)
	l.rooms.partial = func(*cim.Instance, []cim.Key) bool { return true }
	require.Len(t, l.run(t, cim.Query{Language: "CQL", Text: "SELECT * FROM T_Room WHERE Floor = 1 OR Floor = 2"}), 3)
	require.Equal(t, "scan 0 get 0 find 2", l.work())

	l.rooms.partial = func(in *cim.Instance, _ []cim.Key) bool { return in == l.rooms.list[0] }
	require.Len(t, l.run(t, cim.Query{Language: "WQL", Text: "SELECT * FROM T_Room WHERE Name = 'ATTIC'"}), 1, "what was found is another")
}

func TestQueryProjects(t *testing.T) {
	l := newLibrary(t)
	var got *cim.Instance
	q := cim.Query{Language: "wql", Text: "SELECT Size FROM T_Thing WHERE Name = 'b1'"}
	require.NoError(t, l.Query(context.Background(), ns, q, func(in *cim.Instance) error { got = in; return nil }))
	require.Equal(t, `root/test:T_Box.Name="b1"`, got.Path.String())
	for i, p := range got.Class.Properties {
		require.Equal(t, p.Name != "Size", got.Hidden(i), p.Name)
	}
}

func TestQueryAssociators(t *testing.T) {
	l := newLibrary(t)
	l.holds.list = l.holds.list[:1]
	require.Equal(t, []string{`T_Box.Name="b1"`}, l.run(t, cim.Query{Language: "WQL", Text: `ASSOCIATORS OF {T_Room.Floor=1,Name="hall"} WHERE AssocClass=T_Tie ResultClass=T_Thing Role=Whole`}))
	require.Len(t, l.run(t, cim.Query{Language: "WQL", Text: `REFERENCES OF {ROOT\test:T_Room.Floor=1,Name='hall'}`}), 1)
	for text, want := range map[string]cim.Status{
		`ASSOCIATORS OF {T_Room.Floor=8,Name="hall"}`:                       cim.StatusNotFound,
		`ASSOCIATORS OF {T_Room.Floor=1,Name="hall"} WHERE AssocClass=T_No`: cim.StatusInvalidClass,
		`ASSOCIATORS OF {T_Room.Floor=1,Name="hall"} WHERE ClassDefsOnly`:   cim.StatusInvalidQuery,
		`ASSOCIATORS OF {root/none:T_Room.Floor=1,Name="hall"}`:             cim.StatusInvalidNamespace,
	} {
		err := l.Query(context.Background(), ns, cim.Query{Language: "WQL", Text: text}, nil)
		require.Equal(t, want, cim.StatusOf(err), text)
	}
}

func TestQueryRefuses(t *testing.T) {
	l := newLibrary(t, &silent{})
	for name, c := range map[string]struct {
		ns   string
		q    cim.Query
		want cim.Status
	}{
		"namespace":            {"root/none", cim.Query{Language: "WQL", Text: "SELECT * FROM T_Box"}, cim.StatusInvalidNamespace},
		"namespace of a path":  {"root/none", cim.Query{Language: "WQL", Text: `ASSOCIATORS OF {T_Box="b1"}`}, cim.StatusInvalidNamespace},
		"language":             {ns, cim.Query{Language: "SQL", Text: "SELECT * FROM T_Box"}, cim.StatusQueryLanguageNotSupported},
		"class":                {ns, cim.Query{Language: "WQL", Text: "SELECT * FROM T_None"}, cim.StatusInvalidClass},
		"property":             {ns, cim.Query{Language: "WQL", Text: "SELECT * FROM T_Box WHERE Colour = 1"}, cim.StatusInvalidQuery},
		"cannot be enumerated": {ns, cim.Query{Language: "WQL", Text: "SELECT * FROM T_Plan"}, cim.StatusNotSupported},
	} {
		t.Run(name, func(t *testing.T) {
			err := l.Query(context.Background(), c.ns, c.q, func(*cim.Instance) error { return nil })
			require.Error(t, err)
			require.Equal(t, c.want, cim.StatusOf(err))
			if c.want == cim.StatusNotSupported || strings.HasPrefix(c.q.Text, "ASSOC") {
				return
			}
			f, err := l.Filter(c.ns, c.q)
			require.Nil(t, f)
			require.Equal(t, c.want, cim.StatusOf(err))
		})
	}
	f, err := l.Filter(`ROOT\Test`, cim.Query{Language: "dmtf:cql", Text: "SELECT * FROM T_Box WHERE Size = 7"})
	require.NoError(t, err)
	require.True(t, f.Match(l.boxes.list[0]))
	_, err = l.Filter(ns, cim.Query{Language: "WQL", Text: `REFERENCES OF {T_Box="b1"}`})
	require.ErrorContains(t, err, "no filter")
}

// silent serves a class and can do nothing.
type silent struct{}

func (*silent) Class() string        { return "T_Plan" }
func (*silent) Namespaces() []string { return []string{ns} }

func TestQueryOtherNamespace(t *testing.T) {
	var got []string
	l := newLibrary(t)
	q := cim.Query{Language: "WQL", Text: "SELECT * FROM T_Box WHERE Name = 'b1'"}
	require.NoError(t, l.Query(context.Background(), "root/other", q, collect(&got)))
	require.Empty(t, got)
}

// What stops a query comes back as it is; a provider's failure is not shown.
func TestQueryStops(t *testing.T) {
	full := errors.New("full")
	for _, text := range []string{"SELECT * FROM T_Room", "SELECT * FROM T_Room WHERE Floor = 1", "SELECT * FROM T_Room WHERE Floor = 1 AND Name = 'hall'"} {
		q := cim.Query{Language: "CQL", Text: text}
		l, yielded := newLibrary(t), 0
		err := l.Query(context.Background(), ns, q, func(*cim.Instance) error { yielded++; return full })
		require.Equal(t, full, err, text)
		require.Equal(t, 1, yielded)

		l.rooms.err = errors.New("open /etc/shadow: no")
		err = l.Query(context.Background(), ns, q, func(*cim.Instance) error { return nil })
		require.EqualError(t, err, "internal error", text)

		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		require.ErrorIs(t, newLibrary(t).Query(ctx, ns, q, func(*cim.Instance) error { return nil }), context.Canceled)
	}
}

// An association that can look up what refers to an instance is asked for that.
func TestQueryAsksAssociator(t *testing.T) {
	w := newWorld(t)
	var got []string
	ask := func(text string) int {
		got = nil
		require.NoError(t, w.Query(context.Background(), ns, cim.Query{Language: "WQL", Text: text}, collect(&got)))
		return len(w.touch.objects)
	}
	require.Equal(t, 1, ask(`SELECT * FROM T_Touches WHERE Other = 'T_Thing.Name="b1"'`))
	require.Equal(t, `root/test:T_Box.Name="b1"`, w.touch.objects[0].String())
	require.Len(t, got, 1)
	require.Equal(t, 1, ask(`SELECT * FROM T_Touches WHERE One <> 'T_Box="b1"'`))
	require.Len(t, got, 1)
}

// A reference among the keys that means several instances, or none of a class that
// is served, is compared and not looked up.
func TestQueryWithReferenceThatIsNoPath(t *testing.T) {
	l := newLibrary(t)
	for _, ref := range []string{"T_Box", "T_Plan", `T_Box="b1"`, `root/none:T_Box="b1"`} {
		got := l.run(t, cim.Query{Language: "WQL", Text: "SELECT * FROM T_Holds WHERE Part = '" + ref + "'"})
		require.Len(t, got, map[bool]int{true: 1, false: 0}[ref == `T_Box="b1"`], ref)
	}
}

func TestCount(t *testing.T) {
	count := func(l *library, class string, shallow bool) string {
		n, known, err := l.Count(context.Background(), `root\test`, class, cim.EnumerateOptions{Shallow: shallow})
		return fmt.Sprint(n, known, err != nil && cim.StatusOf(err) != 0)
	}
	l := newLibrary(t)
	require.Equal(t, "3 true false", count(l, "T_Thing", false))
	require.Equal(t, "0 true false", count(l, "T_Thing", true))
	require.Equal(t, "2 true false", count(l, "t_box", true))
	require.Equal(t, "0 false true", count(l, "T_None", false))
	require.Equal(t, "0 false false", count(newLibrary(t, newWorld(t).lonely), "T_Element", false), "one cannot count")
	l.balls.err = errors.New("secret")
	_, _, err := l.Count(context.Background(), ns, "T_Thing", cim.EnumerateOptions{})
	require.EqualError(t, err, "internal error")
	_, _, err = l.Count(context.Background(), "root/none", "T_Thing", cim.EnumerateOptions{})
	require.Equal(t, cim.StatusInvalidNamespace, cim.StatusOf(err))
}
