package conformance

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
	"twinlun/test/system"
)

const volumeClass = dmtf + "CIM_StorageVolume"

// TestScenarios is the list of the workshop; see the documentation of the package.
func TestScenarios(t *testing.T) {
	p := &party{site: newSite(t), sent: new(atomic.Int64)}
	for _, s := range []struct {
		name string
		run  func(*testing.T, *party)
	}{
		{"6.1 identify", identify},
		{"6.2 get", get},
		{"6.3 get, invalid resource", getInvalidResource},
		{"6.4 get, too large", getTooLarge},
		{"6.5 get, too few selectors", getTooFewSelectors},
		{"6.6 get, out of time", getOutOfTime},
		{"6.7 fragment get", getFragment},
		{"7.1 enumerate", enumerate},
		{"7.2 optimized enumerate", enumerateOptimized},
		{"7.3 pull, invalid context", pullInvalidContext},
		{"7.4 enumerate, objects and references", enumerateObjectAndEPR},
		{"7.5 enumerate, filter", enumerateFiltered},
		{"8.1 invoke", invoke},
		{"9.1 put", put},
		{"9.2 fragment put", putFragment},
		{"10.1 subscribe, pull, unsubscribe", eventsPulled},
		{"10.2 push", eventsPushed},
		{"10.3 push with acknowledgement", eventsAcknowledged},
		{"10.4 batches", eventsBatched},
		{"10.5 heartbeats", heartbeats},
		{"10.6 renew and end", subscriptionEnds},
	} {
		t.Run(s.name, func(t *testing.T) { s.run(t, p) })
	}
}

func identify(t *testing.T, p *party) {
	a := p.send(t, `<e:Envelope xmlns:e="`+spaces["s"]+`" xmlns:i="`+spaces["wsmid"]+`"><e:Header/><e:Body><i:Identify/></e:Body></e:Envelope>`)
	answer := a.body().child("IdentifyResponse")
	require.Equal(t, spaces["wsmid"], answer.XMLName.Space)
	require.Equal(t, spaces["wsman"], answer.text("ProtocolVersion"))
	require.NotEmpty(t, answer.text("ProductVendor"))
	require.NotEmpty(t, answer.text("ProductVersion"))
}

func (p *party) system() string {
	return selector("CreationClassName", "TWINLUN_ComputerSystem") + selector("Name", p.System())
}

func get(t *testing.T, p *party) {
	body := p.ok(t, question{action: "transfer/Get", resource: dmtf + "CIM_ComputerSystem", selectors: p.system()})
	require.Len(t, body.Nodes, 1)
	require.Equal(t, p.System(), body.text("TWINLUN_ComputerSystem/Name"))
}

// The resource URI lacks its last character.
func getInvalidResource(t *testing.T, p *party) {
	p.refused(t, question{action: "transfer/Get", resource: dmtf + "CIM_ComputerSyste", selectors: p.system()},
		"Sender", "addressing:DestinationUnreachable", "InvalidResourceURI")
}

func getTooLarge(t *testing.T, p *party) {
	const size = "8500"
	made, err := p.c.Create(t.Context(), system.Namespace, "TWINLUN_ReplicationSettingData", []cim.PropertyValue{
		{Name: "ElementName", Value: "large"}, {Name: "Description", Value: strings.Repeat("<&>", 1000)},
	})
	require.NoError(t, err)
	q := question{action: "transfer/Get", resource: dmtf + "TWINLUN_ReplicationSettingData", selectors: selector("InstanceID", made.Key("InstanceID").(string))}
	require.Equal(t, "large", p.ok(t, q).text("ElementName"), "it fits into what others have")
	q.size = size
	a := p.ask(t, q)
	require.LessOrEqual(t, len(a.raw), 8500, "the fault fits")
	p.refused(t, q, "Sender", "wsman:EncodingLimit", "MaxEnvelopeSizeExceeded")
	q.size = "8191"
	p.refused(t, q, "Sender", "wsman:EncodingLimit", "MinimumEnvelopeLimit")
}

func getTooFewSelectors(t *testing.T, p *party) {
	p.refused(t, question{action: "transfer/Get", resource: volumeClass, selectors: selector("CreationClassName", "TWINLUN_StorageVolume")},
		"Sender", "wsman:InvalidSelectors", "InsufficientSelectors")
}

// What is done in time is answered, however short the time: it is asked until it is
// not done.
func getOutOfTime(t *testing.T, p *party) {
	q := question{action: "transfer/Get", resource: volumeClass, selectors: p.volumeSelectors(t, "v0"), timeout: "PT0.000001S"}
	for end := time.Now().Add(waitLimit); ; {
		a := p.ask(t, q)
		if a.status == 200 && time.Now().Before(end) {
			continue
		}
		space, name := a.subcode()
		require.Equal(t, spaces["wsman"]+" TimedOut", space+" "+name, string(a.raw))
		require.Equal(t, "Receiver", local(a.body().text("Fault/Code/Value")))
		require.Equal(t, "2150858793", a.envelope.find("WSManFault")[0].attr("Code"))
		return
	}
}

func getFragment(t *testing.T, p *party) {
	a := p.ask(t, question{action: "transfer/Get", resource: dmtf + "CIM_ComputerSystem", selectors: p.system(),
		headers: `<w:FragmentTransfer s:mustUnderstand="true">OperationalStatus</w:FragmentTransfer>`})
	require.Equal(t, "OperationalStatus", a.head().text("FragmentTransfer"))
	fragment := a.body().child("XmlFragment")
	require.Equal(t, spaces["wsman"], fragment.XMLName.Space)
	require.Len(t, fragment.Nodes, 1)
	require.Equal(t, "2", fragment.text("OperationalStatus"))
}

// begin is an Enumerate; what is in its body is up to the scenario.
func (p *party) begin(t *testing.T, resource, inside string) node {
	t.Helper()
	return p.ok(t, question{action: "enumeration/Enumerate", resource: resource, body: "<n:Enumerate>" + inside + "</n:Enumerate>"}).child("EnumerateResponse")
}

// pulling is a Pull of one item, as the workshop did it.
func pulling(resource, context string) question {
	return question{action: "enumeration/Pull", resource: resource,
		body: "<n:Pull><n:EnumerationContext>" + context + "</n:EnumerationContext><n:MaxElements>1</n:MaxElements></n:Pull>"}
}

func (p *party) pull(t *testing.T, resource, context string) node {
	t.Helper()
	return p.ok(t, pulling(resource, context)).child("PullResponse")
}

func enumerate(t *testing.T, p *party) {
	r := p.begin(t, volumeClass, "")
	require.Empty(t, r.find("Items"))
	seen := map[string]bool{}
	for context := r.text("EnumerationContext"); context != ""; {
		batch := p.pull(t, volumeClass, context)
		require.Len(t, batch.find("Items/*"), 1)
		seen[batch.text("Items/TWINLUN_StorageVolume/ElementName")] = true
		context = batch.text("EnumerationContext")
	}
	require.Len(t, seen, len(p.volumes))
	for name := range p.volumes {
		require.Contains(t, seen, name)
	}
}

func enumerateOptimized(t *testing.T, p *party) {
	r := p.begin(t, volumeClass, "<w:OptimizeEnumeration/><w:MaxElements>1</w:MaxElements>")
	require.Len(t, r.find("Items/*"), 1, "the first comes with the answer")
	second := p.pull(t, volumeClass, r.text("EnumerationContext"))
	require.Len(t, second.find("Items/*"), 1)
	require.NotEqual(t, r.text("Items/*/DeviceID"), second.text("Items/*/DeviceID"))
}

func pullInvalidContext(t *testing.T, p *party) {
	r := p.begin(t, volumeClass, "")
	first := p.pull(t, volumeClass, r.text("EnumerationContext"))
	require.Empty(t, first.find("EndOfSequence"))
	p.refused(t, pulling(volumeClass, "uuid:00000000-0000-4000-8000-000000000000"), "Receiver", "enumeration:InvalidEnumerationContext", "")
	p.pull(t, volumeClass, first.text("EnumerationContext")) // nothing happened to the other
}

func enumerateObjectAndEPR(t *testing.T, p *party) {
	r := p.begin(t, volumeClass, "<w:EnumerationMode>EnumerateObjectAndEPR</w:EnumerationMode>")
	items := p.pull(t, volumeClass, r.text("EnumerationContext")).find("Items/*")
	require.Len(t, items, 1)
	require.Len(t, items[0].Nodes, 2)
	object, ref := items[0].child("TWINLUN_StorageVolume"), items[0].child("EndpointReference")
	require.NotEmpty(t, object.text("ElementName"))
	require.NotEmpty(t, ref.text("Address"))
	var keys strings.Builder
	for _, s := range ref.find("SelectorSet/Selector") {
		keys.WriteString(selector(s.attr("Name"), s.Text))
	}
	got := p.ok(t, question{action: "transfer/Get", resource: ref.text("ResourceURI"), selectors: keys.String()})
	require.Equal(t, object.text("DeviceID"), got.text("DeviceID"), "the reference leads to the object")
}

func enumerateFiltered(t *testing.T, p *party) {
	const class = dmtf + "TWINLUN_StorageSynchronized"
	p.replicate("v2", "v5", snapshot)
	p.look()
	r := p.begin(t, class, "<w:Filter>/TWINLUN_StorageSynchronized[SyncType=7]</w:Filter>") // of three
	first := p.pull(t, class, r.text("EnumerationContext"))
	require.Equal(t, "7", first.text("Items/*/SyncType"))
	require.Empty(t, first.find("EndOfSequence"))
	second := p.pull(t, class, first.text("EnumerationContext"))
	require.Equal(t, "7", second.text("Items/*/SyncType"))
	require.NotEmpty(t, second.find("EndOfSequence"))
	require.Empty(t, second.find("EnumerationContext"), "there is none at the end")
}

func invoke(t *testing.T, p *party) {
	const class = dmtf + "CIM_ConcreteJob"
	body := p.ok(t, question{action: class + "/GetErrors", resource: class, selectors: selector("InstanceID", p.Job.Key("InstanceID").(string)),
		body: `<p:GetErrors_INPUT xmlns:p="` + class + `"/>`})
	require.Equal(t, "GetErrors_OUTPUT", body.Nodes[0].XMLName.Local)
	require.Equal(t, class, body.Nodes[0].XMLName.Space)
	require.Equal(t, "0", body.text("GetErrors_OUTPUT/ReturnValue"))
}

// put sends back what a Get has shown, as it is but for one property.
func put(t *testing.T, p *party) {
	q := question{action: "transfer/Get", resource: volumeClass, selectors: p.volumeSelectors(t, "v2")}
	shown := p.ask(t, q)
	before := shown.body().Nodes[0]
	_, inside, _ := strings.Cut(string(shown.raw), "<s:Body>")
	inside, _, _ = strings.Cut(inside, "</s:Body>")
	q.action, q.body = "transfer/Put", strings.Replace(inside, "ElementName>v2<", "ElementName>put<", 1)
	after := p.ok(t, q).Nodes[0]
	require.Equal(t, "put", after.text("ElementName"))
	for i, n := range after.Nodes {
		if n.XMLName.Local != "ElementName" && n.XMLName.Local != "SharedSpace" { // which grows when checksums are made
			require.Equal(t, before.Nodes[i].Text, n.Text, n.XMLName.Local)
		}
	}
}

func putFragment(t *testing.T, p *party) {
	a := p.ask(t, question{action: "transfer/Put", resource: volumeClass, selectors: p.volumeSelectors(t, "v2"),
		headers: `<w:FragmentTransfer s:mustUnderstand="true">ElementName</w:FragmentTransfer>`,
		body:    `<w:XmlFragment><p:ElementName xmlns:p="` + volumeClass + `">v2</p:ElementName></w:XmlFragment>`})
	require.Equal(t, "ElementName", a.head().text("FragmentTransfer"))
	require.Len(t, a.body().find("XmlFragment/*"), 1)
	require.Equal(t, "v2", a.body().text("XmlFragment/ElementName"))
}
