package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
	"twinlun/wsman"
	"twinlun/wsman/soap"
)

// withService adds the service with its methods, which answer with reply.
func (w *world) withService(reply *cim.Reply, err error) *world {
	w.broker.put("T_Service", "Name", "svc")
	w.broker.invoke = func(context.Context, *cim.Call) (*cim.Reply, error) { return reply, err }
	return w
}

func jobPath() *cim.Path {
	return &cim.Path{Namespace: testNamespace, Class: "T_Job", Keys: []cim.Key{{Name: "InstanceID", Value: "7"}}}
}

const replicateArgs = `<p:ElementNames>one</p:ElementNames><p:ElementNames>two</p:ElementNames><p:SyncType>8</p:SyncType>`

func TestInvoke(t *testing.T) {
	bases := map[string]string{
		"DMTF":    serviceURI,
		"vendor":  "http://schemas.xyz.example/wbem/wscim/1/cim-schema/2/T_Service",
		"MS form": "http://schemas.microsoft.com/wbem/wscim/1/cim-schema/2/T_Service",
		"WMI":     "http://schemas.microsoft.com/wbem/wsman/1/wmi/root/cimv2/storage/iscsitarget/T_Service",
	}
	for family, write := range families() {
		for name, uri := range bases {
			t.Run(family+"/"+name, func(t *testing.T) {
				w := newWorld(t).withVolumes(2).withService(&cim.Reply{
					Return: uint64(4096), Out: cim.Args{{Name: "Job", Value: jobPath()}},
				}, nil)
				source := `<p:SourceElements>` + refTo("V0") + `</p:SourceElements><p:SourceElements><a:EndpointReference>` + refTo("V1") + `</a:EndpointReference></p:SourceElements>`
				r := w.ok(t, write(invoke(uri, "Replicate", replicateArgs+source, [2]string{"Name", "svc"})))
				require.Equal(t, uri+"/ReplicateResponse", r.Action)
				require.Equal(t, "Replicate_OUTPUT", r.Body.Tag)
				ns, _ := soap.Namespace(r.Body)
				require.Equal(t, uri, ns)
				require.Equal(t, "4096", soap.ChildText(r.Body, "", "ReturnValue"))
				job, err := soap.ReadEPR(soap.Child(r.Body, "", "Job"))
				require.NoError(t, err)
				require.Equal(t, strings.Replace(uri, "T_Service", "T_Job", 1), job.ResourceURI)
				require.NotContains(t, r.text, "EndpointReference", "references are inline")

				c := w.broker.lastCall()
				require.Equal(t, "Replicate", c.Method)
				require.Equal(t, "svc", c.Path.Key("Name"))
				require.Equal(t, testNamespace, c.Path.Namespace)
				require.Equal(t, []cim.Value{"one", "two"}, c.In.Get("ElementNames"))
				require.Equal(t, uint64(8), c.In.Get("SyncType"))
				refs := c.In.Get("SourceElements").([]cim.Value)
				require.Equal(t, "V1", refs[1].(*cim.Path).Key("DeviceID"))
			})
		}
	}
}

func TestInvokeWithoutArguments(t *testing.T) {
	w := newWorld(t).withService(&cim.Reply{Return: uint64(0)}, nil)
	for _, m := range []message{
		invoke(serviceURI, "Ping", ""),
		invoke(serviceURI, "Ping", " "),
		invoke(serviceURI, "ping", ""),
	} {
		require.Equal(t, "0", soap.ChildText(w.ok(t, m.windows()).Body, "", "ReturnValue"))
		require.Equal(t, "Ping", w.broker.lastCall().Method)
	}
}

func TestInvokePassesTheTimeout(t *testing.T) {
	w := newWorld(t).withService(&cim.Reply{Return: uint64(0)}, nil)
	var left time.Duration
	w.broker.invoke = func(ctx context.Context, _ *cim.Call) (*cim.Reply, error) {
		end, ok := ctx.Deadline()
		require.True(t, ok)
		left = time.Until(end)
		return &cim.Reply{Return: uint64(0)}, nil
	}
	m := invoke(serviceURI, "Ping", "")
	w.ok(t, m.windows())
	require.Zero(t, w.broker.lastCall().Timeout)
	m.timeout = "PT25.000S"
	w.ok(t, m.windows())
	require.Equal(t, 25*time.Second, w.broker.lastCall().Timeout)
	require.Greater(t, left, 20*time.Second)
	m.timeout = "P1D"
	w.ok(t, m.windows())
	require.LessOrEqual(t, left, w.config.Limits.MaxOperation)
}

func TestInvokeTimesOut(t *testing.T) {
	w := newWorld(t).withService(nil, nil)
	w.broker.invoke = func(ctx context.Context, _ *cim.Call) (*cim.Reply, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	m := invoke(serviceURI, "Ping", "")
	m.timeout = "PT0.02S"
	w.fails(t, m.windows(), "w:TimedOut")
}

func TestInvokeReason(t *testing.T) {
	w := newWorld(t).withService(&cim.Reply{Return: uint64(5), Reason: "SyncType 9 is <reserved>"}, nil)
	r := w.ok(t, invoke(serviceURI, "Replicate", replicateArgs).windows())
	require.Equal(t, "SyncType 9 is <reserved>", soap.ChildText(r.Header, wsman.NSTwinlun, wsman.HeaderReason))
	require.NotContains(t, r.text, `mustUnderstand`)
}

// What is no reference to anything is to a method what refers to nothing.
func TestInvokeBadReferenceIsTheMethodsOwnAnswer(t *testing.T) {
	w := newWorld(t).withService(&cim.Reply{Return: uint64(0)}, nil)
	for _, arg := range []string{
		`<p:SourceElements>` + strings.Replace(refTo("V0"), "T_Volume", "T_None", 1) + `</p:SourceElements>`,
		`<p:SourceElements>nonsense</p:SourceElements>`,
		`<p:Setting>not an instance</p:Setting>`,
	} {
		r := w.ok(t, invoke(serviceURI, "Replicate", arg).windows())
		require.Equal(t, "5", soap.ChildText(r.Body, "", "ReturnValue"))
		require.NotEmpty(t, soap.ChildText(r.Header, wsman.NSTwinlun, wsman.HeaderReason))
	}
	require.Empty(t, w.broker.calls)
	audits := w.audits.lines(t)
	require.Len(t, audits, 3)
	require.Equal(t, "5", audits[0]["result"])
}

func TestInvokeFails(t *testing.T) {
	w := newWorld(t).withVolumes(1).withService(&cim.Reply{Return: uint64(0)}, nil)
	tests := []struct {
		name    string
		message message
		subcode string
		detail  string
	}{
		{"unknown method", invoke(serviceURI, "Fly", ""), "a:ActionNotSupported", ""},
		{"unknown class", invoke(serviceURI+"x", "Ping", ""), "a:DestinationUnreachable", "InvalidResourceURI"},
		{"unknown parameter", invoke(serviceURI, "Replicate", `<p:Speed>1</p:Speed>`), "w:InvalidParameter", "InvalidName"},
		{"wrong type", invoke(serviceURI, "Replicate", `<p:SyncType>clone</p:SyncType>`), "w:InvalidParameter", "InvalidValue"},
		{"out of range", invoke(serviceURI, "Replicate", `<p:SyncType>70000</p:SyncType>`), "w:InvalidParameter", "InvalidValue"},
		{"unknown key", invoke(serviceURI, "Ping", "", [2]string{"Color", "red"}), "w:InvalidSelectors", "UnexpectedSelectors"},
		{"body of another", message{action: serviceURI + "/Ping", uri: serviceURI, body: `<Replicate_INPUT/>`}, "w:SchemaValidationError", ""},
		{"class of another", message{action: volumeURI + "/Ping", uri: serviceURI}, "a:ActionNotSupported", "ActionMismatch"},
		{"class that is not", message{action: volumeURI + "x/Ping", uri: serviceURI}, "a:DestinationUnreachable", "InvalidResourceURI"},
		{"all classes", message{action: serviceURI + "/Ping", uri: wsman.AllClassesURI}, "a:ActionNotSupported", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := w.fails(t, tt.message.windows(), tt.subcode)
			require.Equal(t, tt.detail, r.faultDetail())
		})
	}
	require.Empty(t, w.broker.calls)
}

func TestInvokeOfBaseClassAction(t *testing.T) {
	w := newWorld(t).withService(&cim.Reply{Return: uint64(0)}, nil)
	m := invoke(serviceURI, "Ping", "")
	m.action = strings.Replace(m.action, "T_Service", "T_Element", 1)
	w.ok(t, m.windows())
}

func TestInvokeUnreportable(t *testing.T) {
	w := newWorld(t).withService(&cim.Reply{Return: uint64(0), Reason: strings.Repeat("x", 9000)}, nil)
	m := invoke(serviceURI, "Ping", "")
	m.maxSize = 8192
	r := w.fails(t, m.windows(), "w:EncodingLimit")
	require.Equal(t, "UnreportableSuccess", r.faultDetail())
}

// A method goes on when its caller hangs up, and the audit says how it ended.
func TestInvokeOutlivesTheConnection(t *testing.T) {
	w := newWorld(t).withService(nil, nil)
	ctx, hangUp := context.WithCancel(t.Context())
	w.broker.invoke = func(ctx context.Context, _ *cim.Call) (*cim.Reply, error) {
		hangUp()
		return &cim.Reply{Return: uint64(0)}, ctx.Err()
	}
	w.Handler().ServeHTTP(nopWriter{http.Header{}}, httpRequest(invoke(serviceURI, "Ping", "").windows()).WithContext(ctx))
	require.Equal(t, "0", w.audits.lines(t)[0]["result"])
}

func TestInvokeKnowsThePrincipal(t *testing.T) {
	w := newWorld(t).withService(nil, nil)
	var who cim.Principal
	w.broker.invoke = func(ctx context.Context, _ *cim.Call) (*cim.Reply, error) {
		who, _ = cim.PrincipalFrom(ctx)
		return nil, cim.Errorf(cim.StatusAccessDenied, "not you")
	}
	w.postAs(t, "monitor1", invoke(serviceURI, "Ping", "").windows()).requireFault(t, "w:AccessDenied")
	require.Equal(t, cim.Principal{Name: "monitor1", Role: cim.RoleMonitor, Remote: "192.0.2.1:1234"}, who)
}

func TestAudit(t *testing.T) {
	w := newWorld(t).withVolumes(1).withService(nil, nil)
	results := []struct {
		reply *cim.Reply
		err   error
	}{
		{&cim.Reply{Return: uint64(4096)}, nil},
		{&cim.Reply{Return: uint64(5), Reason: "why"}, nil},
		{nil, cim.Errorf(cim.StatusAccessDenied, "not you")},
		{nil, errors.New("secret detail")},
	}
	for _, res := range results {
		w.broker.invoke = func(context.Context, *cim.Call) (*cim.Reply, error) {
			w.clock.add(time.Second)
			return res.reply, res.err
		}
		w.post(t, invoke(serviceURI, "Replicate", `<p:ElementNames>hush</p:ElementNames><p:SourceElements>`+refTo("V0")+`</p:SourceElements>`, [2]string{"Name", "svc"}).windows())
	}
	w.post(t, getVolume("V0").windows()) // reading is not audited
	lines := w.audits.lines(t)
	require.Len(t, lines, 4)
	for i, want := range [][2]string{{"4096", ""}, {"5", "why"}, {"AccessDenied", "not you"}, {"InternalError", "internal error"}} {
		l := lines[i]
		require.Equal(t, "audit", l["msg"])
		require.Equal(t, want, [2]string{l["result"].(string), l["reason"].(string)})
		require.Equal(t, "admin", l["user"])
		require.Equal(t, "192.0.2.1:1234", l["remote"])
		require.Equal(t, "Invoke", l["action"])
		require.Equal(t, "T_Service", l["class"])
		require.Equal(t, "Replicate", l["method"])
		require.Equal(t, messageID, l["message"])
		require.EqualValues(t, time.Second, l["duration"])
		objects := fmt.Sprint(l["objects"])
		require.Contains(t, objects, "svc")
		require.Contains(t, objects, "V0")
		require.NotContains(t, fmt.Sprint(l), "hush", "arguments may be secrets")
	}
}

func TestAuditListIsBounded(t *testing.T) {
	refs := make([]cim.Value, 1000)
	for i := range refs {
		refs[i] = jobPath()
	}
	list := objectsOf(&cim.Call{Path: jobPath(), In: cim.Args{{Name: "x", Value: refs}}})
	require.Len(t, list, maxObjects)
}

// A client cannot fill the disk with what it sends: lines of logs are short, and one
// line each whatever is in them.
func TestLoggedTextsAreBounded(t *testing.T) {
	w := newWorld(t).withVolumes(1)
	long := "line\nline" + strings.Repeat("x", 100<<10)
	keys := [][2]string{{"SystemName", "host"}, {"DeviceID", long}}
	w.fails(t, message{action: wsman.ActionDelete, uri: volumeURI, selectors: keys}.windows(), "a:DestinationUnreachable")
	refs := strings.Repeat(`<p:SourceElements>`+refTo(long)+`</p:SourceElements>`, 4)
	w.withService(nil, cim.Errorf(cim.StatusFailed, "%s", long))
	w.fails(t, invoke(serviceURI, "Replicate", refs, [2]string{"Name", "svc"}).windows(), "w:InternalError")
	require.Len(t, w.audits.lines(t), 2)
	require.Less(t, w.audits.buf.Len(), 20*maxLogged)
	require.Len(t, w.log.lines(t), 2)
	require.Less(t, w.log.buf.Len(), 10*maxLogged+2*maxCause)
}

// nopWriter is a client that reads nothing.
type nopWriter struct{ header http.Header }

func (w nopWriter) Header() http.Header         { return w.header }
func (w nopWriter) Write(p []byte) (int, error) { return len(p), nil }
func (w nopWriter) WriteHeader(int)             {}
