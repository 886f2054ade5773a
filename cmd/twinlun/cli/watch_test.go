package cli

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"twinlun/cim"
	"twinlun/wsman/client"
)

// watching runs twinlun watch until stop, which returns what it printed.
func (w *world) watching(args ...string) (out *buffer, stop func() outcome) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.t.Context())
	var errs buffer
	out = &buffer{}
	a := &app{Streams: Streams{In: strings.NewReader(""), Out: out, Err: &errs}, version: "1.2.3", loadSchema: testSchema, hash: cheap()}
	done := make(chan int, 1)
	go func() { done <- execute(ctx, a, append([]string{"watch"}, args...)) }()
	return out, func() outcome {
		cancel()
		code := <-done
		return outcome{out.String(), errs.String(), code}
	}
}

// subscribed waits until there are so many subscriptions.
func (w *world) subscribed(n int) {
	w.t.Helper()
	eventually(w.t, func() bool { return w.d.Subscriptions() == n })
}

func TestWatch(t *testing.T) {
	w := start(t)
	out, stop := w.watching()
	w.subscribed(1)
	w.must("volume", "create", "alpha", "--size", "1MiB")
	eventually(t, func() bool { return strings.Contains(out.String(), "StorageVolume alpha") })
	w.must("volume", "delete", "alpha")
	eventually(t, func() bool { return strings.Contains(out.String(), "deleted") })
	o := stop()
	require.Zero(t, o.code, o.err)
	lines := strings.Split(o.out, "\n")
	require.Equal(t, []string{"TIME", "KIND", "OBJECT", "CHANGED"}, strings.Fields(lines[0]))
	require.Contains(t, o.out, "created   StorageVolume alpha")
	require.Empty(t, o.err)
	w.subscribed(0)
}

func TestWatchOutputs(t *testing.T) {
	w := start(t)
	inJSON, stopJSON := w.watching("-o", "json", "--class", "CIM_InstCreation")
	inYAML, stopYAML := w.watching("-o", "yaml", "--query", "SELECT * FROM CIM_InstCreation WHERE SourceInstance ISA CIM_StorageVolume", "--language", "cql")
	w.subscribed(2)
	w.must("volume", "create", "alpha", "--size", "1MiB")
	w.must("volume", "create", "beta", "--size", "1MiB")
	for _, out := range []*buffer{inJSON, inYAML} {
		eventually(t, func() bool { return strings.Contains(out.String(), "beta") })
	}
	eventually(t, func() bool { return strings.Count(inJSON.String(), "\n}\n") == 2 })
	first := struct{ Class, SourceInstanceModelPath string }{}
	o := stopJSON()
	dec := json.NewDecoder(strings.NewReader(o.out))
	require.NoError(t, dec.Decode(&first))
	require.Equal(t, "CIM_InstCreation", first.Class)
	require.NotEmpty(t, first.SourceInstanceModelPath)
	require.NoError(t, dec.Decode(&first))
	require.ErrorIs(t, dec.Decode(&first), io.EOF)

	o = stopYAML()
	ydec := yaml.NewDecoder(strings.NewReader(o.out))
	n := 0
	for ; ; n++ {
		var doc map[string]any
		if err := ydec.Decode(&doc); errors.Is(err, io.EOF) {
			break
		} else {
			require.NoError(t, err, o.out)
		}
		require.Equal(t, "CIM_InstCreation", doc["Class"])
	}
	require.Equal(t, 2, n)
}

func TestWatchRefuses(t *testing.T) {
	w := start(t)
	w.fails(exitUsage, "neither wql nor cql", "watch", "--language", "sql", "--query", "x")
	w.fails(exitUsage, "exclude each other", "watch", "--query", "x", "--class", "CIM_Indication")
	w.fails(exitUsage, "not a class of indications", "watch", "--class", "CIM_StorageVolume")
	w.fails(exitNotFound, "CIM_None", "watch", "--class", "CIM_None")
	w.fails(exitFailed, "", "watch", "--query", "SELECT FROM")
	w.fails(exitFailed, "", "watch", "--query", "SELECT * FROM CIM_StorageVolume")
}

// What a line says of an indication.
func TestEventLine(t *testing.T) {
	volume := func(name string, size uint64) *cim.Instance {
		in := cim.NewInstance(classOf(t, "TWINLUN_StorageVolume"))
		require.NoError(t, in.Set("ElementName", name))
		require.NoError(t, in.Set("NumberOfBlocks", size))
		require.NoError(t, in.Set("OperationalStatus", []cim.Value{uint64(2)}))
		return in
	}
	build := func(class string, kv ...any) *cim.Instance {
		in := cim.NewInstance(classOf(t, class))
		for i := 0; i < len(kv); i += 2 {
			require.NoError(t, in.Set(kv[i].(string), kv[i+1]))
		}
		return in
	}
	pair := cim.NewInstance(classOf(t, "TWINLUN_StorageSynchronized"))
	require.NoError(t, pair.Set("RelationshipName", "nightly"))
	long := `root/x:TWINLUN_OrderedMemberOfCollection.Collection="root/x:TWINLUN_ReplicationGroup.InstanceID=\"g\"",Member="..."`
	at := cim.DateTime{Time: time.Date(2026, 11, 22, 5, 0, 0, 0, time.Local)}
	broken := volume("a", 10)
	require.NoError(t, broken.Set("OperationalStatus", []cim.Value{uint64(6)}))
	for want, in := range map[string]*cim.Instance{
		"2026-11-22 05:00:00  created   StorageVolume a                           -\n": build("CIM_InstCreation",
			"IndicationTime", at, "SourceInstance", volume("a", 10)),
		"2026-11-22 05:00:00  changed   StorageVolume b                           NumberOfBlocks: 10 -> 20\n": build("CIM_InstModification",
			"IndicationTime", at, "SourceInstance", volume("b", 20), "PreviousInstance", volume("b", 10)),
		"2026-11-22 05:00:00  changed   StorageVolume a                           OperationalStatus: OK -> Error\n": build("CIM_InstModification",
			"IndicationTime", at, "SourceInstance", broken, "PreviousInstance", volume("a", 11), "ChangedPropertyNames", []cim.Value{"OperationalStatus", "Gone"}),
		"2026-11-22 05:00:00  deleted   StorageVolume a                           -\n": build("CIM_InstDeletion",
			"IndicationTime", at, "SourceInstance", volume("a", 10)),
		"-                    created   StorageSynchronized nightly               -\n": build("CIM_InstCreation", "SourceInstance", pair,
			"SourceInstanceModelPath", long),
		"-                    created   OrderedMemberOfCollection                 -\n": build("CIM_InstCreation",
			"SourceInstance", cim.NewInstance(classOf(t, "TWINLUN_OrderedMemberOfCollection")), "SourceInstanceModelPath", long),
		"-                    alert     pool                                      It is   full.\n": build("CIM_AlertIndication",
			"AlertingManagedElement", "pool", "Message", "It is \x1b full."),
	} {
		var out buffer
		v := viewer{app: &app{Streams: Streams{Out: &out, Err: io.Discard}, output: "table"}, begun: true}
		require.NoError(t, v.show(&client.Events{Instances: []*cim.Instance{in}}))
		require.Equal(t, want, out.String())
	}
}

func TestWatchTellsOfLoss(t *testing.T) {
	var errs buffer
	v := viewer{app: &app{Streams: Streams{Out: io.Discard, Err: &errs}, output: "table"}}
	require.NoError(t, v.show(&client.Events{Lost: 7}))
	require.NoError(t, v.show(&client.Events{Lost: -1}))
	require.Equal(t, "twinlun: warning: 7 events are missing here\ntwinlun: warning: some events may be missing here\n", errs.String())
}
